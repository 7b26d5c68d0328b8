// Package worker makes pictures of what users have uploaded.
//
// Contract: Run handles jobs until its context ends, and then returns when the jobs in hand are done or handed back. A worker that is killed
// loses nothing: another one handles its job again, and handling a job twice leaves what handling it once does. A job ends as done, or
// as failed with a reason: what was uploaded is no picture, or five tries have failed, or as many workers died over it. Neither a restart of
// the server nor one of the database ends Run.
//
// How: the upload is read, the pictures are made and stored under names of this job alone, and the row of the user's picture is written; then
// the record says done, and the upload is deleted. Whoever dies in between has the job done again from the start, with the same
// names. Of two jobs of one user the one uploaded later counts, in whatever order they are handled: the row is compared and written
// under a lock of the user, for no longer than half of its time.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/lock"
	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/taskqueue"
	"github.com/streampulse/pulse/cmd/streampulse/internal/avatar"
	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
)

const (
	lockTTL   = 20 * time.Second
	underLock = lockTTL / 2 // for what is done under it
	atOnce    = 100         // dead letters read at once
)

// Options are those of a Worker. All but Lease must be given.
type Options struct {
	Redis    redis.UniversalClient
	Prefix   string // of keys and channels, without braces; the service's
	Profiles profile.Source
	Blobs    *blobs.Store
	Log      *slog.Logger
	Lease    time.Duration // after which a worker that is not heard of is dead; 0: 15 s
}

// Worker makes pictures.
type Worker struct {
	o     Options
	jobs  *jobs.Jobs
	cache *profile.Cache
	locks *lock.Locker
}

// New returns a Worker.
func New(o Options) (*Worker, error) {
	if o.Lease == 0 {
		o.Lease = 15 * time.Second
	}
	w := &Worker{o: o, locks: lock.New(o.Redis, o.Prefix+"lock:")}
	var err error
	if w.cache, err = profile.New(o.Redis, o.Profiles, o.Prefix+"profile:", profile.Options{}); err != nil {
		return nil, err
	}
	w.jobs, err = jobs.New(o.Redis, o.Prefix, taskqueue.Options{
		Lease:   o.Lease,
		OnError: func(err error) { o.Log.Warn("worker", "err", err) },
	})
	return w, err
}

// Run handles n jobs at a time until ctx is cancelled.
func (w *Worker) Run(ctx context.Context, n int) error {
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = w.jobs.Queue().Work(ctx, w.handle) })
	}
	all.Go(func() { w.bury(ctx) })
	all.Wait()
	return errors.Join(errs...)
}

// handle does a task.
func (w *Worker) handle(ctx context.Context, queued *taskqueue.Task) error {
	t, err := jobs.ParseTask(queued.Payload)
	if err != nil {
		return taskqueue.Permanent(err)
	}
	log := w.o.Log.With("job", t.Job, "user", t.User, "try", queued.Try)
	job, err := w.jobs.Get(ctx, t.Job)
	switch {
	case err == nil && job.Over():
		log.Info("job was over already", "state", job.State)
		return w.o.Blobs.Delete(ctx, t.Upload())
	case err != nil && !errors.Is(err, jobs.ErrNotFound):
		return err
	}
	if err := w.jobs.Move(ctx, t, jobs.Working, ""); err != nil {
		return err
	}
	began := time.Now()
	if err := w.make(ctx, t); err != nil {
		var refused refusal
		if !errors.As(err, &refused) {
			log.Warn("job failed for now", "err", err)
			return err
		}
		log.Info("job failed for good", "err", err)
		return w.end(ctx, t, jobs.Failed, refused.Error())
	}
	log.Info("job done", "took", time.Since(began))
	return w.end(ctx, t, jobs.Done, "")
}

// refusal is an error that no other try would mend, and that who has uploaded may read.
type refusal struct{ error }

// end ends a job, and only then forgets its upload.
func (w *Worker) end(ctx context.Context, t jobs.Task, state, reason string) error {
	if err := w.jobs.Move(ctx, t, state, reason); err != nil {
		return err
	}
	return w.o.Blobs.Delete(ctx, t.Upload())
}

// make makes, stores and notes the pictures of a task.
func (w *Worker) make(ctx context.Context, t jobs.Task) error {
	data, err := w.o.Blobs.Get(ctx, t.Upload(), avatar.MaxBytes)
	switch {
	case errors.Is(err, blobs.ErrNotFound):
		return refusal{errors.New("the upload is gone")}
	case errors.Is(err, blobs.ErrTooLarge):
		return refusal{fmt.Errorf("%w: at most %d bytes", avatar.ErrTooLarge, avatar.MaxBytes)}
	case err != nil:
		return err
	}
	pictures, extension, err := avatar.Make(data)
	if errors.Is(err, avatar.ErrNotImage) || errors.Is(err, avatar.ErrTooLarge) {
		return refusal{err}
	}
	if err != nil {
		return err
	}
	p := &jobs.Picture{User: t.User, Job: t.Job, Extension: extension, At: t.At}
	for _, picture := range pictures {
		if err := w.o.Blobs.Put(ctx, p.Key(picture.Side), picture.Data); err != nil {
			return err
		}
	}
	old, err := w.note(ctx, p)
	if err != nil || old == nil {
		return err
	}
	for _, key := range old.Keys() {
		if err := w.o.Blobs.Delete(ctx, key); err != nil {
			w.o.Log.Warn("an old picture stays", "key", key, "err", err)
		}
	}
	return nil
}

// note makes p the user's picture unless there is a later one, and returns the picture that nobody needs any more, if any.
func (w *Worker) note(ctx context.Context, p *jobs.Picture) (*jobs.Picture, error) {
	wait, cancel := context.WithTimeout(ctx, lockTTL)
	defer cancel()
	held, err := w.locks.Acquire(wait, p.User, lockTTL)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := held.Release(context.WithoutCancel(ctx)); err != nil {
			w.o.Log.Warn("lock", "user", p.User, "err", err)
		}
	}()
	ctx, cancel2 := context.WithTimeout(ctx, underLock)
	defer cancel2()
	old, err := jobs.CurrentPicture(ctx, p.User, w.o.Profiles.Load)
	switch {
	case err != nil:
		return nil, err
	case old != nil && old.At > p.At:
		return p, nil
	}
	if err := w.cache.Update(ctx, jobs.Row(p.User), p.Fields()); err != nil {
		return nil, err
	}
	if old != nil && old.Job == p.Job {
		return nil, nil
	}
	return old, nil
}

// bury ends jobs whose tasks were given up, now and then until ctx ends.
func (w *Worker) bury(ctx context.Context) {
	tick := time.NewTicker(w.o.Lease / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := w.buryOnce(ctx); err != nil && !errors.Is(err, lock.ErrHeld) && ctx.Err() == nil {
			w.o.Log.Warn("dead letters", "err", err)
		}
	}
}

func (w *Worker) buryOnce(ctx context.Context) error {
	queue := w.jobs.Queue()
	if s, err := queue.Stats(ctx); err != nil || s.Dead == 0 {
		return err
	}
	// Those read must be those that are discarded, so one worker does it at a time. A user's name cannot contain a colon.
	held, err := w.locks.Try(ctx, "dead:letters", lockTTL)
	if err != nil {
		return err
	}
	defer held.Release(context.WithoutCancel(ctx)) // if that fails the lock ends by itself
	ctx, cancel := context.WithTimeout(ctx, underLock)
	defer cancel()
	letters, err := queue.Dead(ctx, atOnce)
	if err != nil {
		return err
	}
	for _, l := range letters {
		w.o.Log.Error("task given up", "task", l.ID, "tries", l.Tries, "reason", l.Reason)
		if t, err := jobs.ParseTask(l.Payload); err == nil {
			if err := w.end(ctx, t, jobs.Failed, "it could not be done, after several tries"); err != nil {
				return err
			}
		}
	}
	if len(letters) == 0 {
		return nil
	}
	_, err = queue.Discard(ctx, len(letters))
	return err
}
