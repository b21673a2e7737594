// SPDX-License-Identifier: Apache-2.0

// Calls of the API that ctr never makes, so that they can be recorded (record.py). Failures are
// printed and passed over: a refused request is a request on the wire all the same.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/containerd/containerd"
	containersapi "github.com/containerd/containerd/api/services/containers/v1"
	contentapi "github.com/containerd/containerd/api/services/content/v1"
	diffapi "github.com/containerd/containerd/api/services/diff/v1"
	eventsapi "github.com/containerd/containerd/api/services/events/v1"
	imagesapi "github.com/containerd/containerd/api/services/images/v1"
	introspectionapi "github.com/containerd/containerd/api/services/introspection/v1"
	leasesapi "github.com/containerd/containerd/api/services/leases/v1"
	namespacesapi "github.com/containerd/containerd/api/services/namespaces/v1"
	snapshotsapi "github.com/containerd/containerd/api/services/snapshots/v1"
	tasksapi "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/cio"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/oci"
	ptypes "github.com/gogo/protobuf/types"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

func show(what string, err error) {
	if err != nil {
		fmt.Println(what+":", err)
	}
}

// drain reads a server stream to its end.
func drain(what string, recv func() error) {
	for {
		if err := recv(); err != nil {
			if err != io.EOF {
				show(what, err)
			}
			return
		}
	}
}

func stores(ctx context.Context, conn *grpc.ClientConn) {
	containers := containersapi.NewContainersClient(conn)
	record := containersapi.Container{ID: "g1", Image: "test/i:latest", SnapshotKey: "k1",
		Snapshotter: "overlayfs", Labels: map[string]string{"a": "b"},
		Runtime:    &containersapi.Container_Runtime{Name: "io.containerd.runc.v2"},
		Spec:       &ptypes.Any{TypeUrl: "x.y/Z", Value: []byte("{}")},
		Extensions: map[string]ptypes.Any{"e": {TypeUrl: "x.y/E", Value: []byte{0, 255}}}}
	_, err := containers.Create(ctx, &containersapi.CreateContainerRequest{Container: record})
	show("create", err)
	_, err = containers.List(ctx, &containersapi.ListContainersRequest{Filters: []string{"id==g1"}})
	show("list", err)
	stream, err := containers.ListStream(ctx, &containersapi.ListContainersRequest{})
	show("liststream", err)
	drain("liststream", func() error { _, err := stream.Recv(); return err })
	record.Labels["c"] = "d"
	_, err = containers.Update(ctx, &containersapi.UpdateContainerRequest{Container: record,
		UpdateMask: &ptypes.FieldMask{Paths: []string{"labels.c", "labels.a"}}})
	show("update", err)
	_, err = containers.Delete(ctx, &containersapi.DeleteContainerRequest{ID: "g1"})
	show("delete", err)

	images := imagesapi.NewImagesClient(conn)
	got, err := images.Get(ctx, &imagesapi.GetImageRequest{Name: "test/i:latest"})
	show("image", err)
	if err == nil {
		got.Image.Labels = map[string]string{"q": "r"}
		got.Image.Target.Annotations = map[string]string{"an": "no"}
		_, err = images.Update(ctx, &imagesapi.UpdateImageRequest{Image: *got.Image,
			UpdateMask: &ptypes.FieldMask{Paths: []string{"labels", "target"}}})
		show("image update", err)
	}

	leases := leasesapi.NewLeasesClient(conn)
	_, err = leases.Create(ctx, &leasesapi.CreateRequest{ID: "gl", Labels: map[string]string{"a": "b"}})
	show("lease", err)
	resource := leasesapi.Resource{ID: "k1", Type: "snapshots/overlayfs"}
	_, err = leases.AddResource(ctx, &leasesapi.AddResourceRequest{ID: "gl", Resource: resource})
	show("lease add", err)
	_, err = leases.ListResources(ctx, &leasesapi.ListResourcesRequest{ID: "gl"})
	show("lease resources", err)
	_, err = leases.DeleteResource(ctx, &leasesapi.DeleteResourceRequest{ID: "gl", Resource: resource})
	show("lease remove", err)
	_, err = leases.List(ctx, &leasesapi.ListRequest{Filters: []string{"id==gl"}})
	show("leases", err)
	_, err = leases.Delete(ctx, &leasesapi.DeleteRequest{ID: "gl", Sync: true})
	show("lease delete", err)

	spaces := namespacesapi.NewNamespacesClient(conn)
	_, err = spaces.Get(ctx, &namespacesapi.GetNamespaceRequest{Name: "default"})
	show("namespace", err)
	_, err = spaces.Update(ctx, &namespacesapi.UpdateNamespaceRequest{
		Namespace:  namespacesapi.Namespace{Name: "default", Labels: map[string]string{"x": "y"}},
		UpdateMask: &ptypes.FieldMask{Paths: []string{"labels.x"}}})
	show("namespace update", err)
}

func bytesAndLayers(ctx context.Context, conn *grpc.ClientConn) {
	content := contentapi.NewContentClient(conn)
	write, err := content.Write(ctx)
	show("write", err)
	for _, request := range []*contentapi.WriteContentRequest{
		{Action: contentapi.WriteActionStat, Ref: "gr", Total: 5},
		{Action: contentapi.WriteActionWrite, Ref: "gr", Total: 5, Data: []byte("hell")},
	} {
		show("write", write.Send(request))
		_, err = write.Recv()
		show("write", err)
	}
	_, err = content.Status(ctx, &contentapi.StatusRequest{Ref: "gr"})
	show("status", err)
	_, err = content.ListStatuses(ctx, &contentapi.ListStatusesRequest{Filters: []string{"ref==gr"}})
	show("statuses", err)
	show("write", write.CloseSend())
	drain("write", func() error { _, err := write.Recv(); return err })
	_, err = content.Abort(ctx, &contentapi.AbortRequest{Ref: "gr"})
	show("abort", err)

	snapshots := snapshotsapi.NewSnapshotsClient(conn)
	_, err = snapshots.Prepare(ctx, &snapshotsapi.PrepareSnapshotRequest{Snapshotter: "overlayfs",
		Key: "g1", Labels: map[string]string{"a": "b"}})
	show("prepare", err)
	mounts, err := snapshots.Mounts(ctx, &snapshotsapi.MountsRequest{Snapshotter: "overlayfs", Key: "g1"})
	show("mounts", err)
	_, err = snapshots.Update(ctx, &snapshotsapi.UpdateSnapshotRequest{Snapshotter: "overlayfs",
		Info:       snapshotsapi.Info{Name: "g1", Labels: map[string]string{"c": "d"}},
		UpdateMask: &ptypes.FieldMask{Paths: []string{"labels.c"}}})
	show("snapshot update", err)
	if mounts != nil {
		_, err = diffapi.NewDiffClient(conn).Diff(ctx, &diffapi.DiffRequest{Right: mounts.Mounts,
			MediaType: "application/vnd.oci.image.layer.v1.tar", Ref: "gd",
			Labels: map[string]string{"l": "m"}})
		show("diff", err)
	}
	_, err = snapshots.Commit(ctx, &snapshotsapi.CommitSnapshotRequest{Snapshotter: "overlayfs",
		Name: "g2", Key: "g1", Labels: map[string]string{"e": "f"}})
	show("commit", err)
	_, err = snapshots.Stat(ctx, &snapshotsapi.StatSnapshotRequest{Snapshotter: "overlayfs", Key: "g2"})
	show("stat", err)
	_, err = snapshots.Cleanup(ctx, &snapshotsapi.CleanupRequest{Snapshotter: "overlayfs"})
	show("cleanup", err)
	_, err = snapshots.Remove(ctx, &snapshotsapi.RemoveSnapshotRequest{Snapshotter: "overlayfs", Key: "g2"})
	show("remove", err)
}

func small(ctx context.Context, conn *grpc.ClientConn) {
	events := eventsapi.NewEventsClient(conn)
	payload := &ptypes.Any{TypeUrl: "containerd.events.TaskPaused", Value: []byte{10, 1, 'c'}}
	_, err := events.Publish(ctx, &eventsapi.PublishRequest{Topic: "/tasks/paused", Event: payload})
	show("publish", err)
	_, err = events.Forward(ctx, &eventsapi.ForwardRequest{Envelope: &eventsapi.Envelope{
		Timestamp: time.Unix(1700000000, 123456789).UTC(), Namespace: "default",
		Topic: "/tasks/paused", Event: payload}})
	show("forward", err)
	subscribeCtx, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	stream, err := events.Subscribe(subscribeCtx, &eventsapi.SubscribeRequest{
		Filters: []string{`topic=="/tasks/paused"`, "namespace==default"}})
	show("subscribe", err)
	drain("subscribe", func() error { _, err := stream.Recv(); return err })
	_, err = introspectionapi.NewIntrospectionClient(conn).Server(ctx, &ptypes.Empty{})
	show("server", err)
	_, err = introspectionapi.NewIntrospectionClient(conn).Plugins(ctx,
		&introspectionapi.PluginsRequest{Filters: []string{"id==overlayfs", "id==btrfs"}})
	show("plugins", err)
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{Service: "x"})
	show("health", err)
	_, err = healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	show("health", err)
}

func task(ctx context.Context, client *containerd.Client, conn *grpc.ClientConn) {
	image, err := client.GetImage(ctx, "test/i:latest")
	if err != nil {
		show("image", err)
		return
	}
	container, err := client.NewContainer(ctx, "gt", containerd.WithNewSnapshot("gt", image),
		containerd.WithNewSpec(oci.WithImageConfig(image), oci.WithProcessArgs("sleep", "100")))
	if err != nil {
		show("container", err)
		return
	}
	defer container.Delete(ctx, containerd.WithSnapshotCleanup)
	t, err := container.NewTask(ctx, cio.NullIO)
	if err != nil {
		show("task", err)
		return
	}
	show("start", t.Start(ctx))
	tasks := tasksapi.NewTasksClient(conn)
	_, err = tasks.Get(ctx, &tasksapi.GetRequest{ContainerID: "gt"})
	show("get", err)
	_, err = tasks.Exec(ctx, &tasksapi.ExecProcessRequest{ContainerID: "gt", ExecID: "x1",
		Terminal: true, Stdin: "/nosuch", Spec: &ptypes.Any{TypeUrl: "x.y/Z", Value: []byte("{}")}})
	show("exec", err)
	_, err = tasks.ResizePty(ctx, &tasksapi.ResizePtyRequest{ContainerID: "gt", Width: 80, Height: 25})
	show("resize", err)
	_, err = tasks.CloseIO(ctx, &tasksapi.CloseIORequest{ContainerID: "gt", Stdin: true})
	show("closeio", err)
	_, err = tasks.Update(ctx, &tasksapi.UpdateTaskRequest{ContainerID: "gt",
		Resources: &ptypes.Any{
			TypeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
			Value:   []byte(`{"pids":{"limit":99}}`)},
		Annotations: map[string]string{"a": "b"}})
	show("update", err)
	_, err = tasks.Metrics(ctx, &tasksapi.MetricsRequest{Filters: []string{"id==gt"}})
	show("metrics", err)
	_, err = tasks.List(ctx, &tasksapi.ListTasksRequest{Filter: "x"})
	show("tasks", err)
	_, err = tasks.Checkpoint(ctx, &tasksapi.CheckpointTaskRequest{ContainerID: "gt",
		ParentCheckpoint: "sha256:00", Options: &ptypes.Any{TypeUrl: "x.y/Z"}})
	show("checkpoint", err)
	_, err = tasks.Kill(ctx, &tasksapi.KillRequest{ContainerID: "gt", Signal: 9, All: true})
	show("kill", err)
	_, err = tasks.Wait(ctx, &tasksapi.WaitRequest{ContainerID: "gt"})
	show("wait", err)
	_, err = tasks.DeleteProcess(ctx, &tasksapi.DeleteProcessRequest{ContainerID: "gt", ExecID: "x1"})
	show("deleteprocess", err)
	_, err = t.Delete(ctx)
	show("delete", err)
}

func main() {
	client, err := containerd.New(os.Args[1])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	ctx := namespaces.WithNamespace(context.Background(), "default")
	conn := client.Conn()
	stores(ctx, conn)
	bytesAndLayers(ctx, conn)
	small(ctx, conn)
	task(ctx, client, conn)
}
