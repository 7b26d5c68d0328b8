package fuzz

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// maxReplays bounds the work on one difference.
const maxReplays = 600

// shrink looks for a short list of units that still leads to a difference in the same command.
func (r *runner) shrink(epoch int, units []unit, d *mismatch) Finding {
	r.quiet = true
	defer func() { r.quiet = false }()
	s := shrinker{r: r, epoch: epoch, name: d.name(), best: d}
	s.units = slices.Clone(units[:min(d.unit+1, len(units))])
	stable := s.try(s.units)
	if stable {
		s.dropUnits()
		s.dropArguments()
		s.dropUnits()
	}
	f := Finding{Epoch: epoch, Unstable: !stable, Setup: strings.Join(r.setup(epoch), " ")}
	if epoch%3 == 2 {
		f.Setup += " RESP3"
	}
	if db := r.database(epoch); db != "0" {
		f.Setup += " SELECT " + db
	}
	for i, u := range s.units {
		for j := range u {
			if i < len(s.units)-12 && !stable {
				continue // nobody reads all of it
			}
			line := notation(u[j].args)
			if u[j].role == otherRole || u[j].role == waitRole {
				line = "2" + line
			}
			f.Requests = append(f.Requests, line)
		}
	}
	if s.best.unit >= len(s.units) {
		f.Requests = append(f.Requests, notation(s.best.request.args)+"   # in the state afterwards")
	}
	f.Oracle, f.Ours = excerpt(s.best.oracle), excerpt(s.best.ours)
	return f
}

type shrinker struct {
	r       *runner
	epoch   int
	name    string
	units   []unit
	best    *mismatch
	replays int
}

// try reports whether the units still show the difference, and keeps what is needed of them if so.
func (s *shrinker) try(units []unit) bool {
	if s.replays++; s.replays > maxReplays {
		return false
	}
	d, err := s.r.play(s.epoch, units)
	if err != nil || d == nil || d.name() != s.name {
		return false
	}
	s.units = slices.Clone(units[:min(d.unit+1, len(units))])
	s.best = d
	return true
}

// dropUnits leaves out ever smaller runs of units.
func (s *shrinker) dropUnits() {
	for size := len(s.units) / 2; size > 0; size /= 2 {
		for from := 0; from+size <= len(s.units); {
			if !s.try(slices.Delete(slices.Clone(s.units), from, from+size)) {
				from += size
			}
		}
	}
}

// dropArguments leaves out arguments one at a time.
func (s *shrinker) dropArguments() {
	src := source{Rand: rand.New(rand.NewPCG(0, 0))}
	for i := 0; i < len(s.units); i++ {
		if len(s.units[i]) > 1 || s.units[i][0].role == waitRole {
			continue
		}
		for j := len(s.units[i][0].args) - 1; j > 0 && i < len(s.units); j-- {
			q := s.units[i][0]
			if j >= len(q.args) {
				continue
			}
			q.args = slices.Delete(slices.Clone(q.args), j, j+1)
			if isExcluded(q.args) {
				continue
			}
			guard(src, &q, false)
			with := slices.Clone(s.units)
			with[i] = unit{q}
			s.try(with)
		}
	}
}

// notation writes a request as transcripts do.
func notation(args []string) string {
	var b strings.Builder
	b.WriteString(">")
	for _, a := range args {
		b.WriteByte(' ')
		if a != "" && strings.IndexFunc(a, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\'' || c == '\\' }) < 0 {
			b.WriteString(a)
			continue
		}
		b.WriteByte('"')
		for i := range len(a) {
			switch c := a[i]; {
			case c == '"' || c == '\\':
				b.WriteByte('\\')
				b.WriteByte(c)
			case c < ' ' || c > '~':
				fmt.Fprintf(&b, `\x%02x`, c)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	}
	return b.String()
}

func excerpt(reply []byte) string {
	const most = 600
	if len(reply) > most {
		return fmt.Sprintf("%q... (%d bytes)", reply[:most], len(reply))
	}
	return fmt.Sprintf("%q", reply)
}

// String is what a test prints.
func (f Finding) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "epoch %d", f.Epoch)
	if f.Setup != "" {
		fmt.Fprintf(&b, ", with %s", f.Setup)
	}
	if f.Unstable {
		b.WriteString(", not seen again when repeated")
	}
	fmt.Fprintf(&b, ":\n%s\noracle: %s\n  ours: %s", strings.Join(f.Requests, "\n"), f.Oracle, f.Ours)
	return b.String()
}
