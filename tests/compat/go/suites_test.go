// SPDX-License-Identifier: Apache-2.0

// Package suites lets containerd's own content and snapshotter suites, as Debian packages them for
// Go programs, judge the daemon at -address. What is asked of it travels through the packaged client.
package suites

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/containerd/containerd"
	"github.com/containerd/containerd/content"
	contentsuite "github.com/containerd/containerd/content/testsuite"
	"github.com/containerd/containerd/errdefs"
	"github.com/containerd/containerd/namespaces"
	"github.com/containerd/containerd/snapshots"
	snapshotsuite "github.com/containerd/containerd/snapshots/testsuite"
)

var (
	address      = flag.String("address", "", "socket of the daemon that is judged")
	snapshotters = flag.String("snapshotters", "overlayfs,native", "snapshotters that are judged")
	isolated     = flag.Bool("isolated", false, "the daemon's content policy is isolated, not shared")

	spaces int64
)

func dial(t testing.TB) *containerd.Client {
	client, err := containerd.New(*address)
	if err != nil {
		t.Fatalf("dial %s: %v", *address, err)
	}
	return client
}

// judgedStore hands the suite the daemon's content store. Each context that it asks for has a
// namespace and a lease of its own; what is left in them is removed when the test ends.
func judgedStore(client *containerd.Client) contentsuite.StoreInitFn {
	return func(ctx context.Context, _ string) (context.Context, content.Store, func() error, error) {
		var used []context.Context
		store := client.ContentStore()
		ctx = contentsuite.SetContextWrapper(ctx, func(ctx context.Context) (context.Context, func(context.Context) error, error) {
			ns := fmt.Sprintf("content-%d", atomic.AddInt64(&spaces, 1))
			ctx = namespaces.WithNamespace(ctx, ns)
			used = append(used, ctx)
			return client.WithLease(ctx)
		})
		return ctx, store, func() error {
			for _, ctx := range used {
				if err := emptyStore(ctx, store); err != nil {
					return err
				}
			}
			return nil
		}, nil
	}
}

// emptyStore fails on anything but "not found": a lease that ended may have taken it along.
func emptyStore(ctx context.Context, store content.Store) error {
	open, err := store.ListStatuses(ctx)
	if err != nil {
		return fmt.Errorf("list ingests: %w", err)
	}
	for _, s := range open {
		if err := store.Abort(ctx, s.Ref); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("abort %q: %w", s.Ref, err)
		}
	}
	return store.Walk(ctx, func(info content.Info) error {
		if err := store.Delete(ctx, info.Digest); err != nil && !errdefs.IsNotFound(err) {
			return fmt.Errorf("delete %s: %w", info.Digest, err)
		}
		return nil
	})
}

func TestContent(t *testing.T) {
	client := dial(t)
	defer client.Close()
	contentsuite.ContentSuite(t, "content", judgedStore(client))
	if *isolated {
		contentsuite.ContentCrossNSIsolatedSuite(t, "isolated", judgedStore(client))
	} else {
		contentsuite.ContentCrossNSSharedSuite(t, "shared", judgedStore(client))
	}
}

func TestSnapshotters(t *testing.T) {
	for _, name := range strings.Split(*snapshotters, ",") {
		name := name
		t.Run(name, func(t *testing.T) {
			snapshotsuite.SnapshotterSuite(t, name, func(context.Context, string) (snapshots.Snapshotter, func() error, error) {
				client, err := containerd.New(*address)
				if err != nil {
					return nil, nil, err
				}
				return client.SnapshotService(name), client.Close, nil
			})
		})
	}
}
