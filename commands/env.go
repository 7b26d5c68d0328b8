package commands

import (
	"io"
	"time"

	"github.com/streampulse/pulse/internal/clock"
	"github.com/streampulse/pulse/store"
)

// Env is the process as commands see it. The server implements it; its methods may be called from every loop.
type Env interface {
	Clock() clock.Clock
	Store() *store.Store

	// Deliver hands reply to the loop of a client that waited: it is written there and the client's input goes on.
	// by is the transaction the caller works with, which tells the server whether that loop is the caller's own.
	Deliver(by *store.Tx, c *Conn, reply []byte)

	// MaxBulk is proto-max-bulk-len in bytes: the longest string.
	MaxBulk() int64

	// Users is who may connect, and what each of them may do.
	Users() Users

	// Scripts is the interpreter.
	Scripts() Scripts

	Config
	Clients
	Tracking
	Broker
	Insight
	Persistence
	Replicas
	Carrier
	Latency
	Monitors
	Slowlog

	// Detach runs f in a lane of its own, and delivers to c, whose request is Suspended, what f returns. c is f's alone
	// until then.
	Detach(c *Conn, f func(l Lane) []byte)
	// ErrBusy is the reply to what cannot run while a script takes too long.
	ErrBusy() error
	// SleepForDebug blocks the caller's loop (DEBUG SLEEP).
	SleepForDebug(d time.Duration)
	// Shutdown ends the process; the error is why it goes on. The caller is in a lane of its own.
	Shutdown(c *Conn, o ShutdownOptions) error
}

// ShutdownOptions are those of SHUTDOWN.
type ShutdownOptions struct{ Save, NoSave, Now, Force bool }

// Config is the server's parameters.
type Config interface {
	// ConfigGet calls f for each parameter that matches one of the patterns.
	ConfigGet(patterns [][]byte, f func(name, value string))
	// ConfigSet sets name, value, name, value ...: all or none. local tells that the client is on the same host.
	ConfigSet(pairs [][]byte, local bool) error
	ConfigResetStat()
	// ConfigRewrite writes the parameters into the configuration file the server was started with; with all, those that
	// have their defaults, too.
	ConfigRewrite(all bool) error
}

// Clients is the registry of connections. Its methods are called by commands whose row is Exclusive: then no other
// session is running.
type Clients interface {
	EachClient(f func(c *Conn))
	// CloseClient closes c, after the reply under way if c is the caller itself.
	CloseClient(c *Conn)
	// Pause keeps commands (only writes, unless all) of all clients waiting until the given time in Unix milliseconds;
	// 0 ends it.
	Pause(until int64, all bool)
	// Paused reports whether a command that writes (or any command) has to wait now.
	Paused(write bool) bool
	// ClientBuffers tells the sizes CLIENT LIST prints.
	ClientBuffers(c *Conn) Buffers
}

// Buffers are sizes in bytes.
type Buffers struct{ Query, QueryFree, Output, OutputList, Total int }

// SubKind tells the kinds of subscription apart.
type SubKind uint8

const (
	SubChannel SubKind = iota // SUBSCRIBE
	SubPattern                // PSUBSCRIBE
	SubShard                  // SSUBSCRIBE

	numSubKinds
)

// Broker is publish and subscribe. Messages reach the clients as pushes; the replies to (un)subscriptions are written by
// the commands. The methods that take a client are called by its own commands.
type Broker interface {
	// Subscribe adds the channel (or pattern) to those of c; it reports false if it was there.
	Subscribe(c *Conn, kind SubKind, name []byte) bool
	// Unsubscribe takes it away; it reports false if it was not there.
	Unsubscribe(c *Conn, kind SubKind, name []byte) bool
	// Subscriptions lists those of c.
	Subscriptions(c *Conn, kind SubKind) []string
	// Publish sends message to all who listen, in order per publisher, and returns how many do. What c, the publisher,
	// gets itself goes through PushOwn. kind is SubChannel, which reaches patterns too, or SubShard.
	Publish(c *Conn, kind SubKind, channel, message []byte) int
	// Channels lists the channels with subscribers that match pattern (nil: all).
	Channels(kind SubKind, pattern []byte) []string
	// Subscribers counts the subscribers of a channel.
	Subscribers(kind SubKind, channel []byte) int
	// Patterns counts the distinct patterns subscribed to.
	Patterns() int
}

// Insight is what the server tells of itself.
type Insight interface {
	// WriteInfo writes the given sections of INFO (lower case; none: the default ones). tx has every shard locked.
	WriteInfo(w io.Writer, tx *store.Tx, sections []string)
	// MemoryReport measures the use of memory; tx has every shard locked.
	MemoryReport(tx *store.Tx) MemoryReport
	// PurgeMemory gives free memory back to the system, in the background.
	PurgeMemory()
	// AllocatorReport is a text for developers.
	AllocatorReport() string
	// ChangeReplicationID draws a new name for the history of the data.
	ChangeReplicationID()
	// Version is the server's own version, RedisVersion the one it is compatible with.
	Version() string
}
