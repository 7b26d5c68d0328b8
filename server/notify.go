package server

import (
	"strconv"
	"sync/atomic"

	"github.com/streampulse/pulse/server/config"
	"github.com/streampulse/pulse/server/pubsub"
	"github.com/streampulse/pulse/store"
)

// Keyspace notifications are publications: the store hands over what has happened to keys, and everybody who listens to
// "__keyspace@<db>__:<key>" or "__keyevent@<db>__:<event>" gets it as any other message, in the order of the changes of
// each key. A client that is its own listener gets what its commands cause behind their replies, as what it publishes.

// notifier says which of the two channels an event goes to.
type notifier struct {
	keyspace, keyevent atomic.Bool
}

// eventClasses are the classes of the store by the letters of notify-keyspace-events.
var eventClasses = map[config.NotifyFlags]store.Events{
	config.NotifyGeneric: store.OnGeneric, config.NotifyString: store.OnString, config.NotifyList: store.OnList,
	config.NotifySet: store.OnSet, config.NotifyHash: store.OnHash, config.NotifyZSet: store.OnZSet,
	config.NotifyStream: store.OnStream, config.NotifyExpired: store.OnExpired, config.NotifyEvicted: store.OnEvicted,
	config.NotifyMiss: store.OnMiss, config.NotifyNew: store.OnNew,
}

// initNotify follows notify-keyspace-events.
func (s *Server) initNotify() {
	v := s.cfg.Notify()
	apply := func() {
		f := v.Load()
		var to store.Events
		for letter, class := range eventClasses {
			if f&letter != 0 {
				to |= class
			}
		}
		if f&(config.NotifyKeyspace|config.NotifyKeyevent) == 0 {
			to = 0
		}
		s.notifier.keyspace.Store(f&config.NotifyKeyspace != 0)
		s.notifier.keyevent.Store(f&config.NotifyKeyevent != 0)
		s.store.Listen(to, s.publishEvents)
	}
	apply()
	s.cfg.OnChange("notify-keyspace-events", apply)
}

// publishEvents is the store's Listener. The shards of the keys are locked; whoever is published to is only told that
// there is something.
func (s *Server) publishEvents(tx *store.Tx, events []store.Event) {
	var from *pubsub.Client
	if l, ok := tx.User.(*lane); ok && l.session != nil {
		from = l.session.subs
	}
	keyspace, keyevent := s.notifier.keyspace.Load(), s.notifier.keyevent.Load()
	var room [128]byte
	channel := room[:0]
	for i := range events {
		e := &events[i]
		if keyspace {
			channel = append(channel[:0], "__keyspace@"...)
			channel = append(strconv.AppendInt(channel, int64(e.DB), 10), "__:"...)
			channel = append(channel, e.Key...)
			s.pubsub.Publish(from, pubsub.Channel, channel, []byte(e.Name))
		}
		if keyevent {
			channel = append(channel[:0], "__keyevent@"...)
			channel = append(strconv.AppendInt(channel, int64(e.DB), 10), "__:"...)
			channel = append(channel, e.Name...)
			s.pubsub.Publish(from, pubsub.Channel, channel, e.Key)
		}
	}
}
