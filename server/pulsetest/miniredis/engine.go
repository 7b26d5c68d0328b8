package miniredis

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"

	"github.com/streampulse/pulse/internal/resp"
	pulse "github.com/streampulse/pulse/server"
	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// engine is the Pulse that has the data.
type engine struct {
	srv   *pulse.Server
	inlet *inlet
	mu    sync.Mutex
	conns map[int]*pulse.Conn // of the direct methods, by database
}

// databases is how many there are. There is no end of them in miniredis.
const databases = 256

// parked is a key while there is no engine.
type parked struct {
	db        int
	key, dump string
	deadline  int64 // Unix milliseconds by the clock of deadlines, 0 for none
}

// open returns the engine, which is opened if there is none.
func (m *Miniredis) open() (*engine, error) {
	m.live.RLock()
	e := m.live.engine
	m.live.RUnlock()
	if e != nil {
		return e, nil
	}
	m.live.Lock()
	defer m.live.Unlock()
	return m.openLocked()
}

func (m *Miniredis) openLocked() (*engine, error) {
	if m.live.engine != nil {
		return m.live.engine, nil
	}
	c := config.New()
	for name, value := range map[string]string{
		"databases": strconv.Itoa(databases), "save": "", "protected-mode": "no", "io-threads": "1",
	} {
		if err := c.Override(name, value); err != nil {
			return nil, err
		}
	}
	e := &engine{inlet: newInlet(), conns: map[int]*pulse.Conn{}}
	var err error
	e.srv, err = pulse.Open(pulse.Options{
		Config: c, Listeners: []net.Listener{e.inlet}, Shards: 4, Seed: m.live.seed,
		Clock: &m.times.calendar, Deadlines: &m.times.deadlines,
	})
	if err != nil {
		return nil, err
	}
	now := m.times.deadlines.NowMs()
	for _, k := range m.live.parked {
		ttl := "0"
		switch {
		case k.deadline == 0:
		case k.deadline <= now:
			continue
		default:
			ttl = strconv.FormatInt(k.deadline-now, 10)
		}
		if _, err = e.do(k.db, "RESTORE", k.key, ttl, k.dump); err != nil {
			_ = e.srv.Close(context.Background())
			return nil, err
		}
	}
	m.live.parked = nil
	e.setUsers(m.live.passwords)
	m.live.engine = e
	m.subs.Lock()
	defer m.subs.Unlock()
	for s := range m.subs.all {
		s.attach(e)
	}
	return e, nil
}

// park closes the engine and keeps its data.
func (m *Miniredis) park() {
	m.live.Lock()
	defer m.live.Unlock()
	e := m.live.engine
	if e == nil {
		return
	}
	m.live.engine, m.live.parked = nil, e.dump(m.times.deadlines.NowMs())
	m.subs.Lock()
	for s := range m.subs.all {
		s.detach()
	}
	m.subs.Unlock()
	_ = e.srv.Close(context.Background())
}

// withEngine calls f while the engine is nobody else's to close. One that cannot be opened is a defect of this package.
func (m *Miniredis) withEngine(f func(e *engine)) {
	m.live.Lock()
	defer m.live.Unlock()
	e, err := m.openLocked()
	if err != nil {
		panic(err)
	}
	f(e)
}

// do runs a command in a database.
func (m *Miniredis) do(db int, args ...string) (pulse.Reply, error) {
	for {
		e, err := m.open()
		if err != nil {
			panic(err)
		}
		m.live.RLock()
		if m.live.engine != e { // it was closed meanwhile
			m.live.RUnlock()
			continue
		}
		r, err := e.do(db, args...)
		m.live.RUnlock()
		return r, err
	}
}

// do runs a command in a database.
func (e *engine) do(db int, args ...string) (pulse.Reply, error) {
	for {
		c, err := e.conn(db)
		if err != nil {
			return pulse.Reply{}, err
		}
		r, err := c.Do(context.Background(), args...)
		if !errors.Is(err, pulse.ErrConnClosed) {
			return r, err
		}
		e.mu.Lock() // a client has killed it
		if e.conns[db] == c {
			delete(e.conns, db)
		}
		e.mu.Unlock()
	}
}

func (e *engine) conn(db int) (*pulse.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if c := e.conns[db]; c != nil {
		return c, nil
	}
	c, err := e.srv.Conn()
	if err != nil {
		return nil, err
	}
	if _, err = c.Do(context.Background(), "SELECT", strconv.Itoa(db)); err != nil {
		_ = c.Close()
		return nil, err
	}
	e.conns[db] = c
	return c, nil
}

// setUsers lets clients authenticate with these passwords alone, if there are any.
func (e *engine) setUsers(passwords map[string]string) {
	rules := []string{"ACL", "SETUSER", "default", "resetpass"}
	switch pw, ok := passwords["default"]; {
	case ok:
		rules = append(rules, "on", ">"+pw)
	case len(passwords) > 0:
		rules = append(rules, "off")
	default:
		rules = append(rules, "on", "nopass")
	}
	_, _ = e.do(0, rules...)
	for user, pw := range passwords {
		if user != "default" {
			_, _ = e.do(0, "ACL", "SETUSER", user, "reset", "on", ">"+pw, "~*", "&*", "+@all")
		}
	}
}

// dump returns all keys; now is the time of the clock of deadlines.
func (e *engine) dump(now int64) (all []parked) {
	info, _ := e.do(0, "INFO", "keyspace")
	for line := range strings.Lines(info.Text()) {
		name, _, _ := strings.Cut(line, ":")
		db, err := strconv.Atoi(strings.TrimPrefix(name, "db"))
		if err != nil {
			continue
		}
		keys, _ := e.do(db, "KEYS", "*")
		for _, key := range keys.Strings() {
			ttl, _ := e.do(db, "PTTL", key)
			value, err := e.do(db, "DUMP", key)
			if err != nil || value.IsNull() {
				continue
			}
			k := parked{db: db, key: key, dump: value.Text()}
			if ms, _ := ttl.Int(); ms > 0 {
				k.deadline = now + ms
			}
			all = append(all, k)
		}
	}
	return all
}

// inlet is a listener for connections that were accepted elsewhere.
type inlet struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newInlet() *inlet { return &inlet{conns: make(chan net.Conn), closed: make(chan struct{})} }

// Accept implements net.Listener.
func (l *inlet) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *inlet) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener. It is no address of TCP: there is nothing to connect to.
func (l *inlet) Addr() net.Addr { return inletAddr{} }

type inletAddr struct{}

func (inletAddr) Network() string { return "pipe" }
func (inletAddr) String() string  { return "pipe" }

// backend is the engine as those who accept connections see it.
type backend struct{ m *Miniredis }

// Serve implements server.Backend.
func (b backend) Serve(c net.Conn) {
	e, err := b.m.open()
	if err != nil {
		_ = c.Close()
		return
	}
	select {
	case e.inlet.conns <- c:
	case <-e.inlet.closed:
		_ = c.Close()
	}
}

// Do implements server.Backend.
func (b backend) Do(resp3 bool, args []string) []byte {
	e, err := b.m.open()
	if err != nil {
		return []byte("-ERR " + err.Error() + "\r\n")
	}
	nc, err := e.srv.Dial()
	if err != nil {
		return []byte("-ERR " + err.Error() + "\r\n")
	}
	defer nc.Close()
	var raw bytes.Buffer
	rd := bufio.NewReaderSize(io.TeeReader(nc, &raw), 16)
	if resp3 {
		_, _ = nc.Write(resp.AppendRequest(nil, "HELLO", "3"))
		_, _ = resp.Decode(rd)
		raw.Reset()
	}
	_, _ = nc.Write(resp.AppendRequest(nil, args...))
	if _, err = resp.Decode(rd); err != nil {
		return []byte("-ERR " + err.Error() + "\r\n")
	}
	return raw.Bytes()
}

// flags are those of the commands of Pulse: whether they only read, by name.
var flags struct {
	once     sync.Once
	readOnly map[string]bool
}

// Knows implements server.Backend.
func (b backend) Knows(cmd string) (known, readOnly bool) {
	flags.once.Do(func() {
		flags.readOnly = map[string]bool{}
		list, _ := b.m.do(0, "COMMAND")
		for _, row := range list.Array() {
			fields := row.Array()
			if len(fields) < 3 {
				continue
			}
			name := strings.ToUpper(fields[0].Text())
			for _, f := range append(fields[2].Strings(), "") {
				flags.readOnly[name] = flags.readOnly[name] || f == "readonly"
			}
		}
	})
	readOnly, known = flags.readOnly[cmd]
	return known, readOnly
}

// Commands implements server.Backend.
func (b backend) Commands() map[string]server.Cmd {
	return map[string]server.Cmd{"CLUSTER": b.m.cluster}
}

// Adapt implements server.Backend. WAIT does not wait: there are no replicas.
func (b backend) Adapt(cmd string, args []string) []string {
	if cmd != "WAIT" || len(args) != 2 {
		return nil
	}
	if n, err := strconv.Atoi(args[0]); err != nil || n < 0 {
		return nil
	}
	return []string{cmd, "0", args[1]}
}

// Replaceable implements server.Backend: tests register what miniredis lacks, whatever Pulse has.
func (b backend) Replaceable(cmd string) bool { return !strings.Contains(miniredisHas, " "+cmd+" ") }

// miniredisHas are the commands of miniredis.
const miniredisHas = " AUTH CLIENT ECHO HELLO PING SELECT SWAPDB QUIT COPY DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS MOVE PERSIST " +
	"PEXPIRE PEXPIREAT PEXPIRETIME PTTL RANDOMKEY RENAME RENAMENX RESTORE SCAN TOUCH TTL TYPE UNLINK WAIT DISCARD EXEC MULTI " +
	"UNWATCH WATCH DBSIZE FLUSHALL FLUSHDB TIME COMMAND INFO MEMORY OBJECT APPEND BITCOUNT BITOP BITPOS DECR DECRBY DELEX GET " +
	"GETBIT GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT MGET MSET MSETNX PSETEX SET SETBIT SETEX SETNX SETRANGE STRLEN " +
	"HDEL HEXISTS HEXPIRE HGET HGETALL HINCRBY HINCRBYFLOAT HKEYS HLEN HMGET HMSET HPERSIST HPTTL HRANDFIELD HSET HSETEX HSETNX " +
	"HSTRLEN HTTL HVALS HSCAN BLPOP BRPOP BRPOPLPUSH LINDEX LINSERT LLEN LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP " +
	"RPOPLPUSH RPUSH RPUSHX LMOVE BLMOVE PSUBSCRIBE PUBLISH PUBSUB PUNSUBSCRIBE SUBSCRIBE UNSUBSCRIBE SADD SCARD SDIFF SDIFFSTORE " +
	"SINTER SINTERSTORE SINTERCARD SISMEMBER SMEMBERS SMISMEMBER SMOVE SPOP SRANDMEMBER SREM SSCAN SUNION SUNIONSTORE BZMPOP " +
	"BZPOPMAX BZPOPMIN ZADD ZCARD ZCOUNT ZINCRBY ZINTER ZINTERSTORE ZLEXCOUNT ZMPOP ZMSCORE ZPOPMIN ZPOPMAX ZRANDMEMBER ZRANGE " +
	"ZRANGEBYLEX ZRANGEBYSCORE ZRANK ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX " +
	"ZREVRANGEBYSCORE ZREVRANK ZSCORE ZUNION ZUNIONSTORE ZSCAN XACK XADD XAUTOCLAIM XCLAIM XDEL XGROUP XINFO XLEN XRANGE XREAD " +
	"XREADGROUP XREVRANGE XPENDING XTRIM EVAL EVALSHA EVAL_RO EVALSHA_RO SCRIPT GEOADD GEODIST GEOPOS GEORADIUS GEORADIUS_RO " +
	"GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH CLUSTER PFADD PFCOUNT PFMERGE "
