package worker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/taskqueue"
	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/worker"
	"github.com/streampulse/pulse/server"
)

const patience = 30 * time.Second

// dying is a database whose worker is cut off, as if it had been killed, the first time a picture is noted: before, or after it has been.
type dying struct {
	*profile.Memory
	die   context.CancelFunc
	after bool
	died  bool
}

func (d *dying) Save(ctx context.Context, id string, p profile.Profile) error {
	if d.died {
		return d.Memory.Save(ctx, id, p)
	}
	d.died = true
	if d.after {
		if err := d.Memory.Save(context.WithoutCancel(ctx), id, p); err != nil {
			return err
		}
	}
	d.die()
	return context.Canceled
}

// A worker that is cut off at the worst moments leaves its job to the next one, which leaves what one worker would have left; and a task that
// comes yet another time changes nothing.
func TestAJobThatIsDoneTwice(t *testing.T) {
	addr := os.Getenv("REDIS_ADDR")
	if addr == "" {
		srv, err := server.Open(server.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := srv.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		addr = srv.Addr()
	}
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("after the row was written: ", after), func(t *testing.T) {
			t.Parallel()
			ctx := context.Background()
			rdb := redis.NewClient(&redis.Options{Addr: addr})
			defer rdb.Close()
			store, err := blobs.Open(ctx, "mem://")
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			dies, die := context.WithCancel(ctx)
			defer die()
			db := &dying{Memory: profile.NewMemory(), die: die, after: after}
			o := worker.Options{
				Redis: rdb, Prefix: fmt.Sprintf("streampulse-test:%d:", time.Now().UnixNano()), Profiles: db, Blobs: store,
				Log: slog.New(slog.DiscardHandler), Lease: time.Second,
			}
			w, err := worker.New(o)
			if err != nil {
				t.Fatal(err)
			}
			j, err := jobs.New(rdb, o.Prefix, taskqueue.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var data bytes.Buffer
			if err := png.Encode(&data, image.NewGray(image.Rect(0, 0, 20, 20))); err != nil {
				t.Fatal(err)
			}
			task := jobs.Task{Job: jobs.NewID(), User: "ada", At: 1}
			if err := store.Put(ctx, task.Upload(), data.Bytes()); err != nil {
				t.Fatal(err)
			}
			if err := j.Add(ctx, task); err != nil {
				t.Fatal(err)
			}
			if err := w.Run(dies, 1); err != nil {
				t.Fatal(err)
			}
			if job, err := j.Get(ctx, task.Job); err != nil || job.State != jobs.Working {
				t.Fatalf("cut off: %+v, %v", job, err)
			}

			if err := j.Add(ctx, task); err != nil { // as when the reply to the first push was lost
				t.Fatal(err)
			}
			lives, stop := context.WithTimeout(ctx, patience)
			ended := make(chan error, 1)
			go func() { ended <- w.Run(lives, 1) }()
			for {
				job, err := j.Get(ctx, task.Job)
				if err != nil || lives.Err() != nil {
					t.Fatalf("%+v, %v", job, err)
				}
				if s, err := j.Queue().Stats(ctx); err == nil && job.State == jobs.Done && s.Waiting+s.Later+s.Dead == 0 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			p, err := jobs.CurrentPicture(ctx, "ada", db.Load)
			if err != nil || p == nil || p.Job != task.Job {
				t.Fatalf("%+v, %v", p, err)
			}
			for _, key := range p.Keys() {
				if _, err := store.Get(ctx, key, avatar.MaxBytes); err != nil {
					t.Errorf("%s: %v", key, err)
				}
			}
			if _, err := store.Get(ctx, task.Upload(), avatar.MaxBytes); !errors.Is(err, blobs.ErrNotFound) {
				t.Errorf("the upload: %v", err)
			}
		})
	}
}
