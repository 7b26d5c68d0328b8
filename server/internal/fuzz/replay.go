package fuzz

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
)

// Host is a server that keeps what it is told, for Replay.
type Host interface {
	// Begin makes an empty server, with these parameters and their values in turn.
	Begin(epoch int, setup []string) error
	Dial() (net.Conn, error)
	// Middle is called at some time while nobody sends anything: the host may save, or rewrite its log.
	Middle() error
	// End restarts the server and returns what it holds otherwise than before.
	End() (diffs []string, err error)
}

// Replay sends random requests to a server, restarts it, and has the host compare. Options.Oracle may be nil: then what is
// newer than Redis 7.0 is sent, too. What is replied is of no interest.
func Replay(o Options, h Host) (Report, error) {
	if o.MaxFindings == 0 {
		o.MaxFindings = 10
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	o.Ours = h.Dial
	r := &replayer{runner: runner{o: o}, host: h}
	r.report.Known = map[string]int{}
	if o.Oracle != nil {
		if err := r.prepare(); err != nil {
			return r.report, err
		}
	} else {
		var err error
		if r.gen, err = newGenerator(o.Table, o.Only, func(string) func(string) bool { return func(string) bool { return true } }); err != nil {
			return r.report, err
		}
	}
	r.canConfigure = false // the host does
	r.gen.alone = true
	for r.report.Requests < o.Requests && len(r.report.Findings) < o.MaxFindings {
		epoch := r.report.Epochs
		r.report.Epochs++
		units := r.draw(epoch)
		diffs, err := r.play(epoch, units)
		if err != nil {
			return r.report, fmt.Errorf("epoch %d: %w", epoch, err)
		}
		if len(diffs) > 0 {
			f := r.shrink(epoch, units, diffs)
			r.report.Findings = append(r.report.Findings, f)
			o.Log("epoch %d, with %s:\n%s\n%s", f.Epoch, f.Setup, strings.Join(f.Requests, "\n"), f.Ours)
		}
	}
	return r.report, nil
}

type replayer struct {
	runner
	host  Host
	links [2]link
	asked bool // the second one waits, perhaps
}

// play sends the units to a new server and returns what becomes of them.
func (r *replayer) play(epoch int, units []unit) (diffs []string, err error) {
	setup := slices.Concat(defaultSetup, setups[epoch%len(setups)])
	if err := r.host.Begin(epoch, setup); err != nil {
		return nil, err
	}
	r.asked = false
	for i := range r.links {
		l := &r.links[i]
		if err := l.open(r.o.Ours); err != nil {
			return nil, err
		}
		defer l.close()
		if err := r.greet(l, epoch, false); err != nil {
			return nil, err
		}
	}
	rng := rand.New(rand.NewPCG(r.o.Seed, uint64(epoch)^1<<62))
	middle := len(units) / 2
	var batch []request
	size := 1 + rng.IntN(maxPipeline)
	for i, u := range units {
		if i == middle {
			if err := r.send(&r.links[0], batch); err != nil {
				return nil, err
			}
			batch = batch[:0]
			if err := r.host.Middle(); err != nil {
				return nil, err
			}
		}
		if u[0].role == mainRole {
			if batch = append(batch, u...); len(batch) < size {
				continue
			}
			size = 1 + rng.IntN(maxPipeline)
		}
		if err := r.send(&r.links[0], batch); err != nil {
			return nil, err
		}
		batch = batch[:0]
		if u[0].role != mainRole {
			if err := r.aside(u); err != nil {
				return nil, err
			}
		}
	}
	if err := r.send(&r.links[0], append(batch, plain("DISCARD"))); err != nil {
		return nil, err
	}
	if err := r.wakeUp(); err != nil {
		return nil, err
	}
	if err := r.send(&r.links[1], []request{plain("DISCARD")}); err != nil {
		return nil, err
	}
	return r.host.End()
}

// send sends requests and drops the replies.
func (r *replayer) send(l *link, batch []request) error {
	if len(batch) == 0 {
		return nil
	}
	var out []byte
	for _, q := range batch {
		out = resp.AppendRequest(out, q.args...)
	}
	l.send(out)
	for _, q := range batch {
		reply, err := readReply(l.in, nil)
		if err != nil {
			return fmt.Errorf("%s: %w", notation(q.args), err)
		}
		if !r.quiet {
			r.report.Requests++
			if reply[0] == '-' {
				r.report.Errors++
			}
		}
	}
	return nil
}

// aside does what a unit of another role than the main one asks for.
func (r *replayer) aside(u unit) error {
	if u[0].role == expireRole {
		if err := r.send(&r.links[0], u[:1]); err != nil {
			return err
		}
		time.Sleep(expireWait)
		return r.send(&r.links[0], u[1:])
	}
	if err := r.wakeUp(); err != nil || u[0].role == wakeRole {
		return err
	}
	if u[0].role == otherRole {
		return r.send(&r.links[1], u)
	}
	r.asked = true
	r.links[1].send(resp.AppendRequest(nil, u[0].args...))
	r.links[1].settle(&r.links[0])
	return nil
}

// wakeUp ends the wait of the second session.
func (r *replayer) wakeUp() error {
	if !r.asked {
		return nil
	}
	r.asked = false
	ping, err := r.links[0].ask("PING")
	if err == nil && bytes.HasPrefix(ping, []byte("+QUEUED")) {
		_, err = r.links[0].ask("EXEC")
	}
	if err == nil {
		_, err = r.links[0].ask("CLIENT", "UNBLOCK", r.links[1].id)
	}
	if err == nil {
		r.links[1].conn.SetDeadline(time.Now().Add(replyTimeout))
		_, err = readReply(r.links[1].in, nil)
	}
	return err
}

// shrink looks for fewer units, and fewer arguments, that are not brought back either.
func (r *replayer) shrink(epoch int, units []unit, diffs []string) Finding {
	r.quiet = true
	defer func() { r.quiet = false }()
	tries, stable := 0, true
	try := func(some []unit) bool {
		if tries++; tries > maxReplays {
			return false
		}
		d, err := r.play(epoch, some)
		if err != nil || len(d) == 0 {
			return false
		}
		units, diffs = some, d
		return true
	}
	drop := func() {
		for size := len(units) / 2; size > 0; size /= 2 {
			for from := 0; from+size <= len(units); {
				if !try(slices.Delete(slices.Clone(units), from, from+size)) {
					from += size
				}
			}
		}
	}
	if stable = try(units); stable {
		drop()
		src := source{Rand: rand.New(rand.NewPCG(0, 0))}
		for i := range units {
			for j := len(units[i][0].args) - 1; j > 0 && len(units[i]) == 1 && units[i][0].role != waitRole; j-- {
				q := units[i][0]
				if j >= len(q.args) {
					continue
				}
				q.args = slices.Delete(slices.Clone(q.args), j, j+1)
				if guard(src, &q, false); !isExcluded(q.args) {
					with := slices.Clone(units)
					with[i] = unit{q}
					try(with)
				}
			}
		}
		drop()
	}
	f := Finding{Epoch: epoch, Setup: strings.Join(setups[epoch%len(setups)], " "), Unstable: !stable, Ours: strings.Join(diffs, "\n")}
	for _, u := range units {
		for _, q := range u {
			line := notation(q.args)
			if q.role == otherRole || q.role == waitRole {
				line = "2" + line
			}
			f.Requests = append(f.Requests, line)
		}
	}
	if n := len(f.Requests); !stable && n > 12 {
		f.Requests = f.Requests[n-12:]
	}
	return f
}
