package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/profile"
	"github.com/streampulse/pulse/bench/taskqueue"
	"github.com/streampulse/pulse/cmd/streampulse/internal/jobs"
	"github.com/streampulse/pulse/server"
)

func connect(t *testing.T) (*redis.Client, string) {
	t.Helper()
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
	rdb := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb, fmt.Sprintf("streampulse-test:%d:", time.Now().UnixNano())
}

func TestARecordGoesForwardOnly(t *testing.T) {
	rdb, prefix := connect(t)
	ctx := context.Background()
	j, err := jobs.New(rdb, prefix, taskqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	news := rdb.Subscribe(ctx, jobs.Channel(prefix))
	defer news.Close()
	if _, err := news.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	task := jobs.Task{Job: jobs.NewID(), User: "ada", At: 1}
	if _, err := j.Get(ctx, task.Job); !errors.Is(err, jobs.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	if err := j.Add(ctx, task); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct{ to, reason, state, why string }{
		{"", "", jobs.Queued, ""},
		{jobs.Working, "", jobs.Working, ""},
		{jobs.Working, "", jobs.Working, ""}, // another worker
		{jobs.Failed, "no picture", jobs.Failed, "no picture"},
		{jobs.Done, "", jobs.Failed, "no picture"},
		{jobs.Working, "", jobs.Failed, "no picture"},
	} {
		if step.to != "" {
			if err := j.Move(ctx, task, step.to, step.reason); err != nil {
				t.Fatal(err)
			}
		}
		got, err := j.Get(ctx, task.Job)
		if err != nil || *got != (jobs.Job{ID: task.Job, User: "ada", State: step.state, Error: step.why}) {
			t.Errorf("%s: %+v, %v", step.to, got, err)
		}
	}
	if err := rdb.Publish(ctx, jobs.Channel(prefix), "end").Err(); err != nil {
		t.Fatal(err)
	}
	var heard []string
	for len(heard) == 0 || heard[len(heard)-1] != "end" {
		m, err := news.ReceiveMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, m.Payload)
	}
	topic := jobs.Topic(task.Job)
	if !slices.Equal(heard, []string{topic, topic, topic, "end"}) {
		t.Errorf("%v", heard)
	}
	if ttl := rdb.PTTL(ctx, prefix+"job:"+task.Job).Val(); ttl <= 0 || ttl > 24*time.Hour {
		t.Errorf("the record ends after %v", ttl)
	}
	if s, err := j.Queue().Stats(ctx); err != nil || s.Waiting != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := jobs.New(rdb, "a}b", taskqueue.Options{}); err == nil {
		t.Error("a prefix with a brace")
	}
}

func TestTasksThatAreNone(t *testing.T) {
	id := jobs.NewID()
	if task, err := jobs.ParseTask(`{"job":"` + id + `","user":"ada","at":5}`); err != nil || task != (jobs.Task{Job: id, User: "ada", At: 5}) {
		t.Errorf("%+v, %v", task, err)
	}
	for _, payload := range []string{"", "x", "null", "{}", `{"job":"../../etc/passwd","user":"ada"}`, `{"job":"` + id + `"}`, `{"job":5,"user":"ada"}`} {
		if task, err := jobs.ParseTask(payload); err == nil {
			t.Errorf("%q: %+v", payload, task)
		}
	}
	for _, id := range []string{"", "x", strings.Repeat("0", 23), strings.Repeat("0", 25), strings.Repeat("G", 24), strings.Repeat("A", 24), "../../../../../etc/passwd"} {
		if jobs.IsID(id) {
			t.Errorf("%q", id)
		}
	}
	if a, b := jobs.NewID(), jobs.NewID(); a == b || !jobs.IsID(a) {
		t.Errorf("%q, %q", a, b)
	}
}

func TestPictures(t *testing.T) {
	ctx := context.Background()
	db := profile.NewMemory()
	if p, err := jobs.CurrentPicture(ctx, "ada", db.Load); p != nil || err != nil {
		t.Errorf("before: %+v, %v", p, err)
	}
	want := jobs.Picture{User: "ada", Job: jobs.NewID(), Extension: "png", At: 7}
	if err := db.Save(ctx, jobs.Row("ada"), want.Fields()); err != nil {
		t.Fatal(err)
	}
	if p, err := jobs.CurrentPicture(ctx, "ada", db.Load); err != nil || *p != want || p.Key(64) != "avatars/ada/"+want.Job+"-64.png" {
		t.Errorf("%+v, %v", p, err)
	}
	for name, row := range map[string]profile.Profile{
		"a path":    {"job": "../../x", "extension": "png", "at": "7"},
		"a program": {"job": want.Job, "extension": "png/../../x.exe", "at": "7"},
		"no time":   {"job": want.Job, "extension": "png"},
	} {
		if err := db.Save(ctx, jobs.Row("ada"), row); err != nil {
			t.Fatal(err)
		}
		if p, err := jobs.CurrentPicture(ctx, "ada", db.Load); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
