package pulsetest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// maxDumpKeys is how many keys of a database Dump shows, maxDumpClients how many clients.
const (
	maxDumpKeys    = 100
	maxDumpClients = 50
)

// dumpPatience is how long a server that may be stuck is asked.
const dumpPatience = 5 * time.Second

// Dump describes the server for people: its clock and seed, all databases with types, values and times to live, and the clients that wait. What
// is long is shortened. A test that has failed logs it.
func (s *Server) Dump() string {
	var b strings.Builder
	state := "running"
	if s.Clock.Frozen() {
		state = "frozen"
	}
	now := s.Clock.Now()
	fmt.Fprintf(&b, "clock: %s, %s; seed: %d\n", now.UTC().Format(time.RFC3339Nano), state, s.options.seed)
	snap, err := s.snapshot(dumpPatience)
	if err != nil {
		fmt.Fprintf(&b, "the data cannot be read: %v\n", err)
		return b.String()
	}
	dumpKeys(&b, snap, now)
	s.dumpClients(&b)
	return b.String()
}

func dumpKeys(b *strings.Builder, snap Snapshot, now time.Time) {
	dbs := map[int][]Key{}
	for k := range snap {
		dbs[k.DB] = append(dbs[k.DB], k)
	}
	if len(dbs) == 0 {
		b.WriteString("no keys\n")
	}
	for _, db := range slices.Sorted(maps.Keys(dbs)) {
		keys := dbs[db]
		slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Name, b.Name) })
		fmt.Fprintf(b, "db%d: %d keys\n", db, len(keys))
		for i, k := range keys {
			if i == maxDumpKeys {
				fmt.Fprintf(b, "  and %d more\n", len(keys)-i)
				break
			}
			v := snap[k]
			ttl := ""
			if !v.Deadline.IsZero() {
				ttl = fmt.Sprintf(", expires in %v", v.Deadline.Sub(now).Round(time.Millisecond))
			}
			fmt.Fprintf(b, "  %q: %v%s\n", shorten(k.Name), v, ttl)
		}
	}
}

// dumpClients shows the clients, and what those that wait wait for.
func (s *Server) dumpClients(b *strings.Builder) {
	ctx, cancel := context.WithTimeout(context.Background(), dumpPatience)
	defer cancel()
	c, end, err := s.conn(ctx)
	if err != nil {
		return
	}
	defer end()
	r, err := c.Do(ctx, "CLIENT", "LIST")
	if err != nil {
		return
	}
	all, waiting := 0, []string(nil)
	for line := range strings.Lines(r.Text()) {
		f := fieldsOf(line)
		if f["id"] == fmt.Sprint(c.ID()) {
			continue
		}
		all++
		if strings.Contains(f["flags"], "b") {
			waiting = append(waiting, fmt.Sprintf("  client %s at %s waits in %s, database %s, for %ss; name %q", f["id"], f["addr"], f["cmd"], f["db"], f["idle"], f["name"]))
		}
	}
	fmt.Fprintf(b, "clients: %d, of which wait: %d\n", all, len(waiting))
	for i, w := range waiting {
		if i == maxDumpClients {
			fmt.Fprintf(b, "  and %d more\n", len(waiting)-i)
			break
		}
		fmt.Fprintln(b, w)
	}
}

// fieldsOf takes a line of CLIENT LIST apart.
func fieldsOf(line string) map[string]string {
	f := map[string]string{}
	for _, word := range strings.Fields(line) {
		name, value, _ := strings.Cut(word, "=")
		f[name] = value
	}
	return f
}
