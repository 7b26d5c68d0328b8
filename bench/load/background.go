package load

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// BackgroundOptions say what a server is asked while it saves.
type BackgroundOptions struct {
	OpenOptions               // of the writes; Duration and Until are Background's
	Lead        time.Duration // writes before and after the save
	Within      time.Duration // after which it is given up
}

// BackgroundResult is what Background has measured.
type BackgroundResult struct {
	Calm   OpenResult    // SETs without a save
	Saving OpenResult    // and with one
	Took   time.Duration // the save, as long as INFO says so
	Data   int64         // resident bytes before it
	Extra  int64         // and beyond these at the highest, with what a forked child had for itself
}

// savePoll is how often INFO is asked whether the save is over.
const savePoll = 20 * time.Millisecond

// Background sends SETs at a fixed rate to the server at addr, which is process pid on this machine, for a while
// undisturbed, then from shortly before a BGSAVE until shortly after its end.
func Background(ctx context.Context, addr string, pid int, o BackgroundOptions) (*BackgroundResult, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Within)
	defer cancel()
	a, err := dialAdmin(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	r := &BackgroundResult{}
	o.Write = true
	calm := o.OpenOptions
	calm.Duration, calm.Until = 2*o.Lead, nil
	before, err := OpenLoop(ctx, addr, calm)
	if err != nil {
		return nil, err
	}
	r.Calm = *before
	if err := ForgetPeak(pid); err != nil {
		return nil, err
	}
	if r.Data, _, err = RSS(pid); err != nil {
		return nil, err
	}
	done := make(chan struct{})
	var saving error
	go func() {
		defer close(done)
		saving = r.save(ctx, a, o.Lead)
	}()
	o.Duration, o.Until = o.Within, done
	o.Seed++
	during, err := OpenLoop(ctx, addr, o.OpenOptions)
	cancel() // after an error of the loop the save need not be waited for
	<-done
	if err := errors.Join(err, saving); err != nil {
		return nil, fmt.Errorf("load: BGSAVE: %w", err)
	}
	r.Saving = *during
	_, peak, err := RSS(pid)
	if err != nil {
		return nil, err
	}
	r.Extra += max(peak-r.Data, 0)
	return r, nil
}

// save has the server save, notes how long that takes and what a child used, and returns lead after its end.
func (r *BackgroundResult) save(ctx context.Context, a admin, lead time.Duration) error {
	if err := rest(ctx, lead); err != nil {
		return err
	}
	begin := time.Now()
	if err := a.rdb.BgSave(ctx).Err(); err != nil {
		return err
	}
	for {
		if err := rest(ctx, savePoll); err != nil {
			return err
		}
		text, err := a.rdb.Info(ctx, "persistence").Result()
		if err != nil {
			return err
		}
		if infoField(text, "rdb_bgsave_in_progress") != "0" {
			continue
		}
		r.Took = time.Since(begin)
		if status := infoField(text, "rdb_last_bgsave_status"); status != "ok" {
			return fmt.Errorf("it ended with status %q", status)
		}
		r.Extra, _ = strconv.ParseInt(infoField(text, "rdb_last_cow_size"), 10, 64) // absent: no child
		return rest(ctx, lead)
	}
}

// infoField returns a field of INFO, empty if it is not there.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Save has the server at addr write its RDB file, and waits for that.
func Save(ctx context.Context, addr string) error {
	a, err := dialAdmin(ctx, addr)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.rdb.Save(ctx).Err(); err != nil {
		return fmt.Errorf("load: SAVE of %s: %w", addr, err)
	}
	return nil
}
