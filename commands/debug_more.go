package commands

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/streampulse/pulse/internal/glob"
	"github.com/streampulse/pulse/internal/num"
)

// What of DEBUG looks into the server, changes how it works, or ends it. Where Redis shows or sets something that is not
// here, the reply is an error that says so; a switch of work that is never done here answers OK.

// Debugger is what an Env may offer to DEBUG besides.
type Debugger interface {
	// DebugLog writes a text to the server's log.
	DebugLog(text string)
	// PauseCron stops what is done now and then, or goes on with it.
	PauseCron(on bool)
}

var moreDebugSubcommands = []debugSubcommand{
	{"ASSERT", "", "Ends the server by an assertion that fails.", 0, 0, debugCrash("assertion failed: a client asked for it by DEBUG ASSERT"), 0},
	{"CLIENT-EVICTION", "", "Tells about the eviction of clients.", 0, 0, debugClientEviction, 0},
	{"CLUSTERLINK", "KILL to|from|all node-id", "Closes a link of the cluster.", 3, 3, debugClusterLink, 0},
	{"CONFIG-REWRITE-FORCE-ALL", "", "Rewrites the configuration file with a line for every parameter.", 0, 0, debugRewriteAll, 0},
	{"CRASH-AND-RECOVER", "[milliseconds]", "Ends the server and starts it again, which it leaves to others.", 0, 1, debugRestart, 0},
	{"DICT-RESIZING", "0 | 1", "Does nothing: tables are always resized.", 1, 1, debugNothing, 0},
	{"DROP-CLUSTER-PACKET-FILTER", "type", "Does nothing: there are no packets of a cluster.", 1, 1, debugNumber, 0},
	{"HTSTATS", "dbid [full]", "Tells about the index of a database.", 1, 2, debugIndex, 0},
	{"HTSTATS-KEY", "key [full]", "Tells about the table that is the value of a key.", 1, 2, debugIndexOfKey, 0},
	{"LEAK", "string", "Keeps a string for good.", 1, 1, debugLeak, 0},
	{"LISTPACK", "key", "Writes to the log what there is to know of a listpack.", 1, 1, debugEncoding("listpack", "Listpack"), 0},
	{"LOG", "message", "Writes a message to the log.", 1, 1, debugLog, 0},
	{"OOM", "", "Ends the server as if memory had run out.", 0, 0, debugCrash("out of memory: a client asked for it by DEBUG OOM"), 0},
	{"PANIC", "", "Ends the server by a panic.", 0, 0, debugCrash("a client asked for it by DEBUG PANIC"), 0},
	{"PAUSE-CRON", "0 | 1", "Stops what is done now and then.", 1, 1, debugPauseCron, 0},
	{"QUICKLIST", "key [0 | 1]", "Writes to the log what there is to know of a list of several nodes.", 1, 2, debugEncoding("quicklist", "Quicklist"), 0},
	{"REPLICATE", "target command ...", "Sends a command to replicas: there are none.", 1, -1, debugReplicate, 0},
	{"REPLYBUFFER", "PEAK-RESET-TIME NEVER|RESET|milliseconds | RESIZING 0|1", "Does nothing: buffers of replies are not resized.", 2, 2, debugReplyBuffer, 0},
	{"RESTART", "[milliseconds]", "Ends the server and starts it again, which it leaves to others.", 0, 1, debugRestart, 0},
	{"SDSLEN", "key", "Tells how long a string and its key are.", 1, 1, debugLength, 0},
	{"SEGFAULT", "", "Ends the server by reading memory that is not there.", 0, 0, debugSegfault, 0},
	{"SET-SKIP-CHECKSUM-VALIDATION", "0 | 1", "Checksums are always looked at: only 0 is taken.", 1, 1, debugChecksums, 0},
	{"STRINGMATCH-TEST", "", "Tries the matcher of patterns on random ones.", 0, 0, debugMatcher, debugSlow},
	{"AOF-FLUSH-SLEEP", "microseconds", debugAbsent, 1, 1, debugNotHere, 0},
	{"SCRIPT", "LIST | sha", debugAbsent, 1, 1, debugNotHere, 0},
	{"SET-DISABLE-DENY-SCRIPTS", "0 | 1", debugAbsent, 1, 1, debugNotHere, 0},
	{"STRUCTSIZE", "", debugAbsent, 0, 0, debugNotHere, 0},
}

const debugAbsent = "Refused: what it is about is only inside of Redis."

func init() {
	debugSubcommands = append(debugSubcommands, moreDebugSubcommands...)
	slices.SortFunc(debugSubcommands, func(a, b debugSubcommand) int { return strings.Compare(a.name, b.name) })
}

// debugNotHere is for what has nothing it could be about.
func debugNotHere(c *Call) error { return errDebugAbsent(c.Args[1]) }

func debugNothing(c *Call) error {
	c.OK()
	return nil
}

func debugNumber(c *Call) error {
	if _, ok := num.ParseInt(c.Args[2]); !ok {
		return ErrNotInteger
	}
	c.OK()
	return nil
}

// debugCrash ends the process: a panic that nobody recovers from, with what is logged of one.
func debugCrash(text string) func(*Call) error {
	return func(*Call) error { panic(text) }
}

func debugSegfault(*Call) error {
	var nowhere *int
	*nowhere = 1
	return nil
}

// debugRestart looks at its argument as Redis does. A process that starts itself again is not there for who runs it.
func debugRestart(c *Call) error {
	if len(c.Args) > 2 {
		if _, ok := num.ParseInt(c.Args[2]); !ok {
			return ErrNotInteger
		}
	}
	return ErrRestart
}

func debugClientEviction(c *Call) error {
	off := true
	c.Env.ConfigGet([][]byte{[]byte("maxmemory-clients")}, func(_, value string) { off = value == "0" })
	if off {
		return ErrNoClientEviction
	}
	return errDebugAbsent(c.Args[1])
}

func debugClusterLink(c *Call) error {
	if !is(c.Args[2], "KILL") {
		return errSubcommandArity("DEBUG", c.Args[1])
	}
	return ErrDebugCluster
}

func debugRewriteAll(c *Call) error {
	if err := c.Env.ConfigRewrite(true); err != nil {
		return err
	}
	c.OK()
	return nil
}

// debugIndex tells how many keys there are; the index grows and shrinks by itself and has no chains to tell about.
func debugIndex(c *Call) error {
	db, ok := num.ParseInt(c.Args[2])
	switch {
	case !ok:
		return ErrNotInteger
	case db < 0 || db >= int64(c.Env.Store().Databases()):
		return ErrDebugDB
	}
	z := c.Tx.Size(int(db))
	c.Verbatim("txt", "[Dictionary HT]\n"+tableStats(z.Keys)+"[Expires HT]\n"+tableStats(z.Volatile))
	return nil
}

func tableStats(n int) string {
	if n == 0 {
		return "No stats available for empty dictionaries\n"
	}
	return fmt.Sprintf("Hash table 0 stats (main hash table):\n number of elements: %d\n", n)
}

func debugIndexOfKey(c *Call) error {
	f, ok := c.Tx.Facts(c.Args[2])
	switch {
	case !ok:
		return ErrNoSuchKey
	case f.Encoding != "hashtable" && f.Encoding != "skiplist":
		return ErrNoHashTable
	}
	c.Verbatim("txt", tableStats(f.Len))
	return nil
}

// leaks are kept for good: that is what DEBUG LEAK is for.
var leaks struct {
	sync.Mutex
	texts [][]byte
}

func debugLeak(c *Call) error {
	leaks.Lock()
	defer leaks.Unlock()
	leaks.texts = append(leaks.texts, slices.Clone(c.Args[2]))
	c.OK()
	return nil
}

func debugLog(c *Call) error {
	c.debugLog("DEBUG LOG: " + string(c.Args[2]))
	c.OK()
	return nil
}

func (c *Call) debugLog(text string) {
	if d, ok := c.Env.(Debugger); ok {
		d.DebugLog(text)
	}
}

// debugEncoding describes a value of one encoding in the log.
func debugEncoding(encoding, title string) func(*Call) error {
	return func(c *Call) error {
		f, ok := c.Tx.Facts(c.Args[2])
		switch {
		case !ok:
			return ErrNoSuchKey
		case f.Encoding != encoding:
			return errDebugEncoding(encoding)
		}
		c.debugLog(fmt.Sprintf("%s of %.128q: %d elements in %d bytes, with the key", encoding, c.Args[2], f.Len, f.Bytes))
		c.Simple(title + " structure printed on stdout")
		return nil
	}
}

func debugPauseCron(c *Call) error {
	n, _ := num.ParseInt(c.Args[2])
	if d, ok := c.Env.(Debugger); ok {
		d.PauseCron(n != 0)
	}
	c.OK()
	return nil
}

// debugReplicate says OK only to what has nobody to go to: what is kept on the disk is what was done.
func debugReplicate(c *Call) error {
	if is(c.Args[2], "AOF") || is(c.Args[2], "ALL") {
		return errDebugAbsent(c.Args[1])
	}
	c.OK()
	return nil
}

func debugReplyBuffer(c *Call) error {
	switch {
	case is(c.Args[2], "RESIZING"), is(c.Args[2], "PEAK-RESET-TIME") && (is(c.Args[3], "NEVER") || is(c.Args[3], "RESET")):
	case is(c.Args[2], "PEAK-RESET-TIME"):
		if _, ok := num.ParseInt(c.Args[3]); !ok {
			return ErrNotInteger
		}
	default:
		return errSubcommandArity("DEBUG", c.Args[1])
	}
	c.OK()
	return nil
}

func debugLength(c *Call) error {
	key := c.Args[2]
	f, ok := c.Tx.Facts(key)
	switch {
	case !ok:
		return ErrNoSuchKey
	case f.Encoding != "embstr" && f.Encoding != "raw":
		return ErrNoSDS
	}
	c.Simple(fmt.Sprintf("key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d",
		len(key), len(key), f.Len, f.Len))
	return nil
}

func debugChecksums(c *Call) error {
	if n, _ := num.ParseInt(c.Args[2]); n != 0 {
		return errDebugAbsent(c.Args[1])
	}
	c.OK()
	return nil
}

// matcherTries is how many patterns are tried.
const matcherTries = 20_000

// debugMatcher tries patterns of few different bytes on texts of the same; whoever calls looks whether it comes back.
func debugMatcher(c *Call) error {
	const alphabet = "ab*?[]^-\\"
	seed := uint64(c.Tx.Now())
	draw := func() []byte {
		b := make([]byte, 0, 32)
		for {
			seed = seed*6364136223846793005 + 1442695040888963407
			n := seed >> 33
			if n&31 == 0 || len(b) == cap(b) {
				return b
			}
			b = append(b, alphabet[(n>>5)%uint64(len(alphabet))])
		}
	}
	for range matcherTries {
		glob.Match(draw(), draw(), seed>>40&1 == 0)
	}
	c.OK()
	return nil
}

// The refusals of DEBUG.
const (
	ErrRestart          = Error("ERR failed to restart the server. Check server logs.")
	ErrNoClientEviction = Error("ERR maxmemory-clients is disabled.")
	ErrDebugCluster     = Error("ERR Debug option only available for cluster mode enabled setup!")
	ErrDebugDB          = Error("ERR Out of range database")
	ErrNoHashTable      = Error("ERR The value stored at the specified key is not represented using an hash table")
	ErrNoSDS            = Error("ERR Not an sds encoded string.")
)

func errDebugEncoding(name string) error { return errorf("ERR Not a %s encoded object.", name) }

// errDebugAbsent is for what looks into something that is not here.
func errDebugAbsent(sub []byte) error {
	return errorf("ERR DEBUG %.128s is about the inside of Redis, which this server does not share", bytes.ToUpper(sub))
}
