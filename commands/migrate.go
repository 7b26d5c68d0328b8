package commands

import (
	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/store"
	"github.com/streampulse/pulse/store/codec"
)

// MIGRATE sends keys to another server and deletes them here when it has them. Nobody waits for the network but the client: the
// values are written out under the locks of their keys, and the keys are watched; when the other server has answered they are
// deleted under the same locks, unless they have changed meanwhile: then they stay, and the client is told. Making writes to
// them wait instead would let a slow network stop whoever touches them. Inside of a transaction, which must stay whole, the locks
// are held for the whole time, in a lane of its own.

var migrateCommands = []Spec{
	{Name: "MIGRATE", Syntax: "host port <key | \"\"> destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password] [KEYS key [key ...]]",
		Arity: -6, Flags: Write | Dangerous | Effects, Group: GroupGeneric, Since: "2.6.0", Keys: []KeySpec{
			At(3, RW|Access|Delete),
			{Flags: RW | Access | Delete | Incomplete, Keyword: "KEYS", From: -2, Last: -1, Step: 1}},
		MoreKeys: migrateKeys, Endless: func(c *Call) bool { return c.atomic },
		Complexity: "What DUMP and DEL cost here, and RESTORE there, for each key.", Summary: "Moves keys to another server.",
		History: [][2]string{{"3.0.0", "Added the `COPY` and `REPLACE` options."}, {"3.0.6", "Added the `KEYS` option."},
			{"4.0.7", "Added the `AUTH` option."}, {"6.0.0", "Added the `AUTH2` option."}},
		Tips: []string{"nondeterministic_output"}, Run: migrate},
}

const (
	ErrMigrateKeys    = Error("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string")
	ErrMigrateScript  = Error("ERR MIGRATE cannot be called from a script")
	ErrMigrateClosing = Error("IOERR the server is shutting down")
	// ErrMigrateChanged is the answer when the keys were not deleted.
	ErrMigrateChanged = Error("TRYAGAIN keys changed while they were on their way: they are still here, and older copies of them on the target")
)

// Shipment is what is sent to another server.
type Shipment struct {
	Host, Port     string
	DB             int64
	Timeout        int64 // of each step, in milliseconds
	User, Password []byte
	Auth           bool // with Password, and with User unless that is nil
	Replace        bool
	Values         []ShippedValue
}

// ShippedValue is one key of a Shipment.
type ShippedValue struct {
	Key, Payload []byte
	TTL          int64 // in milliseconds, 0 for none
}

// Carrier sends shipments.
type Carrier interface {
	// Ship sends s and returns which keys the other server has taken, and why it has not taken all, as it is told the
	// client. It waits for the network.
	Ship(s *Shipment) (taken []bool, err error)
	// ShipAside calls f, which may Ship, on a goroutine of its own; it reports false if the server is closing.
	ShipAside(f func()) bool
}

type migration struct {
	Shipment
	copy bool
	keys [][]byte
}

func (m *migration) parse(c *Call) error {
	a := c.From(6)
	m.keys = c.Args[3:4]
options:
	for a.More() {
		switch {
		case a.Is("COPY"):
			m.copy = true
		case a.Is("REPLACE"):
			m.Replace = true
		case a.IsWith("AUTH", 1):
			m.Auth, m.User, m.Password = true, nil, a.Next()
		case a.IsWith("AUTH2", 2):
			m.Auth, m.User, m.Password = true, a.Next(), a.Next()
		case a.Is("KEYS"):
			if len(c.Args[3]) > 0 {
				return ErrMigrateKeys
			}
			m.keys = c.Args[a.Pos():]
			break options
		default:
			return ErrSyntax
		}
	}
	a = c.From(4)
	m.DB, m.Timeout = a.Int(), a.Int()
	if m.Timeout <= 0 {
		m.Timeout = 1000
	}
	m.Timeout = min(m.Timeout, maxWait)
	m.Host, m.Port = string(c.Args[1]), string(c.Args[2])
	return a.Err()
}

// migrateKeys finds the keys behind the option KEYS, also where one of them, or a password, is that word.
func migrateKeys(args [][]byte, dst []KeyPos) []KeyPos {
	for i := 6; i < len(args); i++ {
		switch {
		case is(args[i], "AUTH"):
			i++
		case is(args[i], "AUTH2"):
			i += 2
		case is(args[i], "KEYS"):
			if i+1 == len(args) {
				return dst
			}
			if len(args[3]) == 0 {
				dst = dst[:0] // the empty string is no key then
			}
			for p := i + 1; p < len(args); p++ {
				if !hasPos(dst, p) {
					dst = append(dst, KeyPos{p, RW | Access | Delete})
				}
			}
			return dst
		}
	}
	return dst
}

func migrate(c *Call) error {
	if c.within != nil {
		return ErrMigrateScript
	}
	c.told = true
	m := &migration{}
	if err := m.parse(c); err != nil {
		return err
	}
	if m.pack(c); len(m.Values) == 0 {
		c.Simple("NOKEY")
		return nil
	}
	if c.atomic {
		taken, err := c.Env.Ship(&m.Shipment)
		if !m.copy {
			c.deleteTaken(m.Values, taken)
		}
		if err != nil {
			return err
		}
		c.OK()
		return nil
	}
	var watch store.Watch
	for _, v := range m.Values {
		c.Tx.WatchKey(v.Key, &watch)
	}
	t, db, conn, answer := c.table, c.db, c.Conn, error(nil)
	return c.Block(Wait{
		Firm: true,
		Await: func(end func(), _ func() bool) {
			begun := conn.Env.ShipAside(func() {
				taken, err := conn.Env.Ship(&m.Shipment)
				if e := t.settleMigration(conn, db, m, taken, &watch); err == nil {
					err = e
				}
				answer = err
				end()
			})
			if !begun {
				answer = ErrMigrateClosing
				go end()
			}
		},
		OnTimeout: func(w *resp.Writer) {
			if answer != nil {
				w.Error(answer.Error())
				return
			}
			w.Simple("OK")
		},
	})
}

// pack writes the values out.
func (m *migration) pack(c *Call) {
	for _, key := range m.keys {
		v, found := c.Tx.Value(key)
		if !found {
			continue
		}
		s := ShippedValue{Key: append([]byte(nil), key...), Payload: codec.AppendDump(nil, v, c.Tx.Limits().CompressTexts)}
		if at, _ := c.Tx.DeadlineToChange(key); at != store.Forever {
			s.TTL = max(at-c.Tx.Now(), 1)
		}
		m.Values = append(m.Values, s)
	}
}

// deleteTaken deletes the keys that the other server has.
func (c *Call) deleteTaken(values []ShippedValue, taken []bool) {
	effect := [][]byte{wordDel}
	for i, v := range values {
		if taken[i] && c.deleteKey(v.Key) {
			effect = append(effect, v.Key)
		}
	}
	if len(effect) > 1 {
		c.Effect(effect...)
	}
}

// settleMigration deletes what was taken, if it is what was sent. It is called on a goroutine that holds no locks.
func (t *Table) settleMigration(conn *Conn, db int, m *migration, taken []bool, watch *store.Watch) error {
	t.aux.Lock()
	defer t.aux.Unlock()
	t.aux.gate.Enter()
	defer t.aux.gate.Leave()
	tx := t.aux.tx
	tx.Begin(db)
	tx.By = conn.ID
	tx.WantWatched(watch)
	tx.LockWanted()
	changed := tx.Unwatch(watch)
	if !m.copy && !changed {
		call := Call{Writer: &resp.Writer{}, Tx: tx, Spec: t.Lookup([]byte("migrate")), Env: conn.Env, told: true}
		tx.BeginCommand()
		call.db = db
		call.deleteTaken(m.Values, taken)
	}
	ready := append([]store.Key(nil), tx.Ready()...)
	tx.Unlock()
	t.serve(tx, ready)
	if changed && !m.copy {
		return ErrMigrateChanged
	}
	return nil
}
