package config

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// SavePoint asks for a snapshot after Seconds when at least Changes writes happened.
type SavePoint struct {
	Seconds int64
	Changes int64
}

var errSave = errors.New("Invalid save parameters")

// parseSave reads pairs of seconds and changes. In a file each line adds to the lines before, the first replaces the
// default, and an empty text forgets all.
func parseSave(words []string, old *value, loading bool) (*value, error) {
	var points []SavePoint
	if loading {
		if len(words) == 0 {
			return old, nil
		}
		if prev := old.data.(saveData); prev.explicit {
			points = append(points, prev.points...)
		}
	}
	if len(words) == 0 || len(words) == 1 && words[0] == "" {
		return newSave(nil), nil
	}
	if len(words)%2 != 0 {
		return nil, errSave
	}
	for i := 0; i < len(words); i += 2 {
		seconds, err1 := strconv.ParseInt(words[i], 10, 64)
		changes, err2 := strconv.ParseInt(words[i+1], 10, 64)
		if err1 != nil || err2 != nil || seconds < 1 || changes < 0 || changes > math.MaxInt32 {
			return nil, errSave
		}
		points = append(points, SavePoint{seconds, changes})
	}
	return newSave(points), nil
}

// saveData remembers whether the points were given or are the default.
type saveData struct {
	points   []SavePoint
	explicit bool
}

func newSave(points []SavePoint) *value {
	var b []byte
	for i, p := range points {
		if i > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, p.Seconds, 10)
		b = append(b, ' ')
		b = strconv.AppendInt(b, p.Changes, 10)
	}
	return &value{text: string(b), data: saveData{points, true}}
}

// OutputLimit bounds the unsent output of a client: it is closed at once above Hard bytes, and when it stays above Soft
// bytes for SoftSeconds. Zero is no limit.
type OutputLimit struct {
	Hard, Soft  int64
	SoftSeconds int64
}

// OutputLimits holds a limit for each class of clients.
type OutputLimits struct {
	Normal, Replica, PubSub OutputLimit
}

var (
	errLimitWords = errors.New("Wrong number of arguments in buffer limit configuration.")
	errLimitClass = errors.New("Invalid client class specified in buffer limit configuration.")
	errLimitValue = errors.New("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
)

// parseOutputLimits reads groups of four words; classes that are not named keep their limits.
func parseOutputLimits(words []string, old *value, _ bool) (*value, error) {
	var limits OutputLimits
	if old != nil {
		limits = old.data.(OutputLimits)
	}
	if len(words)%4 != 0 {
		return nil, errLimitWords
	}
	for ; len(words) > 0; words = words[4:] {
		l := limits.class(strings.ToLower(words[0]))
		if l == nil {
			return nil, errLimitClass
		}
		hard, ok1 := ParseMemory(words[1])
		soft, ok2 := ParseMemory(words[2])
		seconds, err := strconv.ParseInt(words[3], 10, 64)
		if !ok1 || !ok2 || err != nil || seconds < 0 {
			return nil, errLimitValue
		}
		*l = OutputLimit{hard, soft, seconds}
	}
	return &value{text: limits.String(), data: limits}, nil
}

func (ls *OutputLimits) class(name string) *OutputLimit {
	switch name {
	case "normal":
		return &ls.Normal
	case "replica", "slave":
		return &ls.Replica
	case "pubsub":
		return &ls.PubSub
	}
	return nil
}

// String is the form of CONFIG GET, with the former name of the replica class.
func (ls OutputLimits) String() string {
	var b strings.Builder
	for i, c := range []struct {
		name string
		OutputLimit
	}{{"normal", ls.Normal}, {"slave", ls.Replica}, {"pubsub", ls.PubSub}} {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(c.name)
		for _, n := range []int64{c.Hard, c.Soft, c.SoftSeconds} {
			b.WriteByte(' ')
			b.WriteString(strconv.FormatInt(n, 10))
		}
	}
	return b.String()
}

func parseOOMValues(words []string, _ *value, _ bool) (*value, error) {
	if len(words) != 3 {
		return nil, errWords
	}
	for _, w := range words {
		if n, err := strconv.Atoi(w); err != nil || n < -2000 || n > 2000 {
			return nil, errors.New("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
		}
	}
	return &value{text: strings.Join(words, " ")}, nil
}

// maxBindAddresses is the most addresses that one bind directive may name.
const maxBindAddresses = 16

// parseBind reads addresses; each may have a '-' before it, which says that it need not exist. No address, or an empty
// one, means that no TCP port is opened.
func parseBind(words []string, _ *value, _ bool) (*value, error) {
	if len(words) > maxBindAddresses {
		return nil, errors.New("Too many bind addresses specified.")
	}
	if len(words) == 1 && words[0] == "" {
		words = nil
	}
	return &value{text: strings.Join(words, " "), data: words}, nil
}

// HostPort is the address of a master. The zero value is none.
type HostPort struct {
	Host string
	Port int
}

func parseReplicaOf(words []string, old *value, loading bool) (*value, error) {
	if old == nil || !loading && len(words) == 0 {
		return &value{data: HostPort{}}, nil
	}
	if len(words) != 2 {
		return nil, errWords
	}
	if strings.EqualFold(words[0], "no") && strings.EqualFold(words[1], "one") {
		return &value{data: HostPort{}}, nil
	}
	port, err := strconv.Atoi(words[1])
	if err != nil || port < 0 || port > 65535 {
		return nil, errors.New("Invalid master port")
	}
	return &value{text: words[0] + " " + strconv.Itoa(port), data: HostPort{words[0], port}}, nil
}

func parsePercentiles(words []string, _ *value, _ bool) (*value, error) {
	if len(words) == 1 && words[0] == "" {
		words = nil
	}
	list := make([]float64, 0, len(words))
	names := make([]string, 0, len(words))
	for _, w := range words {
		f, err := strconv.ParseFloat(w, 64)
		if err != nil && !math.IsInf(f, 0) || math.IsNaN(f) {
			return nil, errors.New("Invalid latency-tracking-info-percentiles parameters")
		}
		if f < 0 || f > 100 {
			return nil, errors.New("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
		}
		list = append(list, f)
		names = append(names, FormatPercentile(f))
	}
	return &value{text: strings.Join(names, " "), data: list}, nil
}

// FormatPercentile prints a percentile as CONFIG GET and INFO do: at most six decimals, no trailing zeros.
func FormatPercentile(f float64) string {
	s := strconv.FormatFloat(f, 'f', 6, 64)
	return strings.TrimRight(strings.TrimRight(s, "0"), ".")
}

// NotifyFlags says which keyspace events are published; its zero value is none.
type NotifyFlags uint32

// The classes of events, in the order in which CONFIG GET prints their letters.
const (
	NotifyGeneric  NotifyFlags = 1 << iota // g: commands of any type, such as DEL and EXPIRE
	NotifyString                           // $
	NotifyList                             // l
	NotifySet                              // s
	NotifyHash                             // h
	NotifyZSet                             // z
	NotifyExpired                          // x
	NotifyEvicted                          // e
	NotifyStream                           // t
	NotifyModule                           // d
	NotifyNew                              // n: new keys; not part of A
	NotifyKeyspace                         // K: publish to __keyspace@<db>__:<key>
	NotifyKeyevent                         // E: publish to __keyevent@<db>__:<event>
	NotifyMiss                             // m: missed keys; not part of A

	// NotifyAll is what the letter A stands for.
	NotifyAll = NotifyModule<<1 - 1
)

const notifyLetters = "g$lshzxetdnKEm"

func parseNotify(words []string, _ *value, _ bool) (*value, error) {
	if len(words) != 1 {
		return nil, errWords
	}
	var f NotifyFlags
	for _, c := range []byte(words[0]) {
		if c == 'A' {
			f |= NotifyAll
			continue
		}
		i := strings.IndexByte(notifyLetters, c)
		if i < 0 {
			return nil, errors.New("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
		}
		f |= 1 << i
	}
	return &value{text: f.String(), num: int64(f), data: f}, nil
}

// String prints the letters as CONFIG GET does. A full set of classes is printed as A and then leaves out n.
func (f NotifyFlags) String() string {
	b := make([]byte, 0, len(notifyLetters))
	rest := f
	if f&NotifyAll == NotifyAll {
		b = append(b, 'A')
		rest &^= NotifyAll | NotifyNew
	}
	for i := range len(notifyLetters) {
		if rest&(1<<i) != 0 {
			b = append(b, notifyLetters[i])
		}
	}
	return string(b)
}

// parseDir wants a directory that exists, and keeps its absolute path: the process never changes its working directory.
func parseDir(words []string, old *value, _ bool) (*value, error) {
	if len(words) != 1 {
		return nil, errWords
	}
	dir := words[0]
	if dir == "" {
		return nil, errNoDir
	}
	if old != nil && !filepath.IsAbs(dir) {
		dir = filepath.Join(old.text, dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	if err != nil {
		return nil, reason(err)
	}
	if !info.IsDir() {
		return nil, errors.New("Not a directory")
	}
	return &value{text: dir}, nil
}

var errNoDir = errors.New("No such file or directory")

// reason gives the operating system's sentence for an error as the C library prints it.
func reason(err error) error {
	var errno syscall.Errno
	switch {
	case !errors.As(err, &errno):
		return err
	case errno == syscall.ENOENT:
		return errNoDir
	}
	s := errno.Error()
	return errors.New(strings.ToUpper(s[:1]) + s[1:])
}
