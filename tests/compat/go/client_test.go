// SPDX-License-Identifier: Apache-2.0

package suites

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"time"

	_ "github.com/containerd/cgroups/stats/v1" // what metrics are made of
	_ "github.com/containerd/cgroups/v2/stats"
	"github.com/containerd/containerd"
	eventtypes "github.com/containerd/containerd/api/events"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/content"
	"github.com/containerd/containerd/errdefs"
	"github.com/containerd/containerd/events"
	"github.com/containerd/containerd/images"
	"github.com/containerd/containerd/images/archive"
	"github.com/containerd/containerd/leases"
	"github.com/containerd/containerd/mount"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/oci"
	"github.com/containerd/containerd/rootfs"
	"github.com/containerd/typeurl"
	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var image = flag.String("image", "", "OCI archive of an image with a shell")

// What a packaged client waits for takes milliseconds; this only ends what hangs.
const patience = 30 * time.Second

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// session is a client in a namespace that the test has for itself.
func session(t *testing.T) (context.Context, *containerd.Client) {
	client := dial(t)
	ctx, cancel := context.WithTimeout(namespaces.WithNamespace(context.Background(), t.Name()), patience)
	t.Cleanup(func() {
		cancel()
		client.Close()
	})
	return ctx, client
}

func imported(ctx context.Context, t *testing.T, client *containerd.Client) containerd.Image {
	f, err := os.Open(*image)
	must(t, err)
	defer f.Close()
	all, err := client.Import(ctx, f)
	must(t, err)
	if len(all) != 1 {
		t.Fatalf("%d images in the archive", len(all))
	}
	img := containerd.NewImage(client, all[0])
	must(t, img.Unpack(ctx, containerd.DefaultSnapshotter))
	return img
}

func created(ctx context.Context, t *testing.T, client *containerd.Client, args ...string) containerd.Container {
	img := imported(ctx, t, client)
	c, err := client.NewContainer(ctx, "box", containerd.WithNewSnapshot("box", img),
		containerd.WithNewSpec(oci.WithImageConfig(img), oci.WithProcessArgs(args...)))
	must(t, err)
	return c
}

func streams(t *testing.T, out, err *bytes.Buffer) cio.Creator {
	return cio.NewCreator(cio.WithStreams(nil, out, err), cio.WithFIFODir(t.TempDir()))
}

func exitOf(ctx context.Context, t *testing.T, exits <-chan containerd.ExitStatus) uint32 {
	t.Helper()
	select {
	case s := <-exits:
		must(t, s.Error())
		return s.ExitCode()
	case <-ctx.Done():
		t.Fatal("no exit")
	}
	return 0
}

// topicsUntil collects the topics of one container's events until the named one.
func topicsUntil(ctx context.Context, t *testing.T, all <-chan *events.Envelope, failed <-chan error, last string) []string {
	var topics []string
	for {
		select {
		case e := <-all:
			topics = append(topics, e.Topic)
			if e.Topic == last {
				return topics
			}
		case err := <-failed:
			t.Fatalf("events after %v: %v", topics, err)
		case <-ctx.Done():
			t.Fatalf("only %v", topics)
		}
	}
}

func TestTaskRunsAndSaysSo(t *testing.T) {
	ctx, client := session(t)
	c := created(ctx, t, client, "sh", "-c", "echo to out; echo to err >&2; exit 7")
	all, failed := client.Subscribe(ctx, "event.container_id==box,namespace=="+t.Name())
	var out, errs bytes.Buffer
	task, err := c.NewTask(ctx, streams(t, &out, &errs))
	must(t, err)
	exits, err := task.Wait(ctx)
	must(t, err)
	must(t, task.Start(ctx))
	if code := exitOf(ctx, t, exits); code != 7 {
		t.Errorf("exit code %d", code)
	}
	status, err := task.Status(ctx)
	must(t, err)
	if status.Status != containerd.Stopped || status.ExitStatus != 7 || status.ExitTime.IsZero() {
		t.Errorf("status %+v", status)
	}
	task.IO().Wait()
	deleted, err := task.Delete(ctx)
	must(t, err)
	if deleted.ExitCode() != 7 || out.String() != "to out\n" || errs.String() != "to err\n" {
		t.Errorf("code %d, out %q, err %q", deleted.ExitCode(), out.String(), errs.String())
	}
	if _, err := task.Delete(ctx); !errdefs.IsNotFound(err) {
		t.Errorf("second delete: %v", err)
	}
	want := []string{"/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"}
	if got := topicsUntil(ctx, t, all, failed, "/tasks/delete"); !reflect.DeepEqual(got, want) {
		t.Errorf("events %v", got)
	}
	must(t, c.Delete(ctx, containerd.WithSnapshotCleanup))
	if _, err := client.SnapshotService("").Stat(ctx, "box"); !errdefs.IsNotFound(err) {
		t.Errorf("snapshot after the container: %v", err)
	}
}

func execIn(ctx context.Context, t *testing.T, c containerd.Container, task containerd.Task, id string, args ...string) (uint32, string) {
	spec, err := c.Spec(ctx)
	must(t, err)
	process := *spec.Process
	process.Args = args
	var out, errs bytes.Buffer
	p, err := task.Exec(ctx, id, &process, streams(t, &out, &errs))
	must(t, err)
	exits, err := p.Wait(ctx)
	must(t, err)
	must(t, p.Start(ctx))
	code := exitOf(ctx, t, exits)
	p.IO().Wait() // or deleting cuts off what is still to be read
	_, err = p.Delete(ctx)
	must(t, err)
	return code, out.String()
}

func TestTaskIsHandled(t *testing.T) {
	ctx, client := session(t)
	c := created(ctx, t, client, "sleep", "1000")
	task, err := c.NewTask(ctx, cio.NullIO)
	must(t, err)
	exits, err := task.Wait(ctx)
	must(t, err)
	if _, err := c.NewTask(ctx, cio.NullIO); !errdefs.IsAlreadyExists(err) {
		t.Errorf("second task: %v", err)
	}
	must(t, task.Start(ctx))
	if code, out := execIn(ctx, t, c, task, "ask", "sh", "-c", "hostname; exit 3"); code != 3 || out == "" {
		t.Errorf("exec ended with %d and said %q", code, out)
	}
	pids, err := task.Pids(ctx)
	must(t, err)
	if len(pids) != 1 || pids[0].Pid != task.Pid() {
		t.Errorf("pids %+v of %d", pids, task.Pid())
	}
	metric, err := task.Metrics(ctx)
	must(t, err)
	if _, err := typeurl.UnmarshalAny(metric.Data); err != nil || metric.ID != "box" {
		t.Errorf("metrics of %q: %v", metric.ID, err)
	}
	must(t, task.Pause(ctx))
	if s, err := task.Status(ctx); err != nil || s.Status != containerd.Paused {
		t.Errorf("paused: %+v, %v", s, err)
	}
	must(t, task.Resume(ctx))
	limit := int64(64 << 20)
	must(t, task.Update(ctx, containerd.WithResources(&specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &limit}})))
	if err := c.Delete(ctx); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("container of a running task: %v", err)
	}
	again, err := client.LoadContainer(ctx, "box")
	must(t, err)
	attached, err := again.Task(ctx, nil)
	must(t, err)
	if attached.Pid() != task.Pid() {
		t.Errorf("pid %d, loaded %d", task.Pid(), attached.Pid())
	}
	must(t, task.Kill(ctx, syscall.SIGKILL))
	if code := exitOf(ctx, t, exits); code != 137 {
		t.Errorf("killed: %d", code)
	}
	if err := task.Kill(ctx, syscall.SIGKILL); !errdefs.IsNotFound(err) {
		t.Errorf("kill after the end: %v", err)
	}
	_, err = task.Delete(ctx)
	must(t, err)
	must(t, c.Delete(ctx, containerd.WithSnapshotCleanup))
}

func TestTaskOfAProgramThatIsNotThere(t *testing.T) {
	ctx, client := session(t)
	c := created(ctx, t, client, "/no/such/program")
	task, err := c.NewTask(ctx, cio.NullIO)
	if err == nil {
		task.Delete(ctx)
		t.Fatal("a task was made")
	}
	if _, err := c.Task(ctx, nil); !errdefs.IsNotFound(err) {
		t.Errorf("task: %v", err)
	}
	must(t, c.Delete(ctx, containerd.WithSnapshotCleanup))
}

func blob(ctx context.Context, t *testing.T, client *containerd.Client, text string) digest.Digest {
	d := digest.FromString(text)
	must(t, content.WriteBlob(ctx, client.ContentStore(), "blob-"+d.Encoded(), bytes.NewReader([]byte(text)),
		ocispec.Descriptor{Digest: d, Size: int64(len(text))}))
	return d
}

func TestLeaseKeepsWhatItHas(t *testing.T) {
	ctx, client := session(t)
	manager := client.LeasesService()
	lease, err := manager.Create(ctx, leases.WithID("keeper"), leases.WithLabels(map[string]string{"kind": "test"}))
	must(t, err)
	if _, err := manager.Create(ctx, leases.WithID("keeper")); !errdefs.IsAlreadyExists(err) {
		t.Errorf("same lease again: %v", err)
	}
	leased := leases.WithLease(ctx, lease.ID)
	d := blob(leased, t, client, "kept")
	_, err = client.SnapshotService("").Prepare(leased, "kept", "")
	must(t, err)
	other, err := manager.Create(ctx, leases.WithRandomID())
	must(t, err)
	must(t, manager.Delete(ctx, other, leases.SynchronousDelete))
	_, err = client.ContentStore().Info(ctx, d)
	must(t, err)
	listed, err := manager.List(ctx, "labels.kind==test")
	must(t, err)
	has, err := manager.ListResources(ctx, lease)
	must(t, err)
	if len(listed) != 1 || listed[0].ID != "keeper" || len(has) != 2 {
		t.Errorf("leases %+v, resources %+v", listed, has)
	}
	must(t, manager.Delete(ctx, lease, leases.SynchronousDelete))
	if _, err := client.ContentStore().Info(ctx, d); !errdefs.IsNotFound(err) {
		t.Errorf("content after its lease: %v", err)
	}
	if _, err := client.SnapshotService("").Stat(ctx, "kept"); !errdefs.IsNotFound(err) {
		t.Errorf("snapshot after its lease: %v", err)
	}
}

func TestImageGoesOutAndComesBack(t *testing.T) {
	ctx, client := session(t)
	img := imported(ctx, t, client)
	if ok, err := img.IsUnpacked(ctx, containerd.DefaultSnapshotter); err != nil || !ok {
		t.Fatalf("unpacked: %v, %v", ok, err)
	}
	blobs, err := img.Usage(ctx)
	must(t, err)
	whole, err := img.Usage(ctx, containerd.WithSnapshotUsage())
	must(t, err)
	if blobs <= 0 || whole <= blobs {
		t.Errorf("usage %d, with snapshots %d", blobs, whole)
	}
	var out bytes.Buffer
	must(t, client.Export(ctx, &out, archive.WithImage(client.ImageService(), img.Name())))
	must(t, client.ImageService().Delete(ctx, img.Name(), images.SynchronousDelete()))
	if _, err := client.ContentStore().Info(ctx, img.Target().Digest); !errdefs.IsNotFound(err) {
		t.Errorf("manifest after its image: %v", err)
	}
	ids, err := img.RootFS(ctx)
	if err == nil {
		t.Errorf("the configuration is there still: %v", ids)
	}
	back, err := client.Import(ctx, &out)
	must(t, err)
	if len(back) != 1 || back[0].Name != img.Name() {
		t.Errorf("came back as %+v", back)
	}
	must(t, containerd.NewImage(client, back[0]).Unpack(ctx, containerd.DefaultSnapshotter))
}

func TestDiffCarriesChanges(t *testing.T) {
	ctx, client := session(t)
	ctx, done, err := client.WithLease(ctx)
	must(t, err)
	defer done(ctx)
	img := imported(ctx, t, client)
	ids, err := img.RootFS(ctx)
	must(t, err)
	sn, parent := client.SnapshotService(""), identity.ChainID(ids).String()
	mounts, err := sn.Prepare(ctx, "changed", parent)
	must(t, err)
	must(t, mount.WithTempMount(ctx, mounts, func(root string) error {
		if err := os.Remove(filepath.Join(root, "etc/group")); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, "etc/new"), []byte("new"), 0o640)
	}))
	desc, err := rootfs.CreateDiff(ctx, "changed", sn, client.DiffService())
	must(t, err)
	if desc.MediaType != ocispec.MediaTypeImageLayerGzip || desc.Size == 0 {
		t.Errorf("layer %+v", desc)
	}
	mounts, err = sn.Prepare(ctx, "applied", parent)
	must(t, err)
	applied, err := client.DiffService().Apply(ctx, desc, mounts)
	must(t, err)
	info, err := client.ContentStore().Info(ctx, desc.Digest)
	must(t, err)
	if id := info.Labels["containerd.io/uncompressed"]; id != applied.Digest.String() {
		t.Errorf("diff id %s, label %q", applied.Digest, id)
	}
	must(t, mount.WithTempMount(ctx, mounts, func(root string) error {
		st, err := os.Stat(filepath.Join(root, "etc/new"))
		if err != nil || st.Mode() != 0o640 || st.Size() != 3 {
			return fmt.Errorf("etc/new: %+v, %v", st, err)
		}
		if _, err := os.Stat(filepath.Join(root, "etc/group")); !os.IsNotExist(err) {
			return fmt.Errorf("etc/group: %v", err)
		}
		return nil
	}))
}

func TestRecordsAreKept(t *testing.T) {
	ctx, client := session(t)
	must(t, client.NamespaceService().Create(ctx, t.Name(), map[string]string{"a": "b"}))
	c, err := client.NewContainer(ctx, "box", containerd.WithNewSpec(oci.WithProcessArgs("true")),
		containerd.WithContainerLabels(map[string]string{"one": "1"}),
		containerd.WithContainerExtension("ours", &eventtypes.TaskPaused{ContainerID: "x"}))
	must(t, err)
	if _, err := client.NewContainer(ctx, "box", containerd.WithNewSpec()); !errdefs.IsAlreadyExists(err) {
		t.Errorf("same container again: %v", err)
	}
	labels, err := c.SetLabels(ctx, map[string]string{"two": "2"})
	must(t, err)
	if !reflect.DeepEqual(labels, map[string]string{"one": "1", "two": "2"}) {
		t.Errorf("labels %v", labels)
	}
	found, err := client.Containers(ctx, "labels.two==2")
	must(t, err)
	extensions, err := c.Extensions(ctx)
	must(t, err)
	if len(found) != 1 || found[0].ID() != "box" || len(extensions) != 1 {
		t.Errorf("found %v, extensions %v", found, extensions)
	}
	if err := client.NamespaceService().Delete(ctx, t.Name()); !errdefs.IsFailedPrecondition(err) {
		t.Errorf("namespace in use: %v", err)
	}
	must(t, client.Reconnect())
	must(t, c.Delete(ctx))
	if _, err := client.LoadContainer(ctx, "box"); !errdefs.IsNotFound(err) {
		t.Errorf("container after it: %v", err)
	}
	must(t, client.NamespaceService().Delete(ctx, t.Name()))
}
