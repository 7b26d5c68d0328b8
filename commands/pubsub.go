package commands

var pubsubCommands = []Spec{
	{Name: "SUBSCRIBE", Channels: Hears, Syntax: "channel [channel ...]", Arity: -2, Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "2.0.0", Complexity: "O(N) with the number of channels.", Summary: "Listens to channels.", Run: subscribe},
	{Name: "UNSUBSCRIBE", Syntax: "[channel [channel ...]]", Arity: -1, Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "2.0.0", Complexity: "O(N) with the number of channels.", Summary: "Stops listening to channels, or to all.", Run: unsubscribe},
	{Name: "PSUBSCRIBE", Channels: HearsPatterns, Syntax: "pattern [pattern ...]", Arity: -2, Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "2.0.0", Complexity: "O(N) with the number of patterns.", Summary: "Listens to the channels that match patterns.", Run: psubscribe},
	{Name: "PUNSUBSCRIBE", Syntax: "[pattern [pattern ...]]", Arity: -1, Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "2.0.0", Complexity: "O(N) with the number of patterns.", Summary: "Stops listening to patterns, or to all.", Run: punsubscribe},
	{Name: "SSUBSCRIBE", Channels: Hears, Syntax: "shardchannel [shardchannel ...]", Arity: -2, Keys: []KeySpec{Range(1, -1, 1, NotKey)},
		Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "7.0.0", Complexity: "O(N) with the number of shard channels.", Summary: "Listens to shard channels.", Run: ssubscribe},
	{Name: "SUNSUBSCRIBE", Syntax: "[shardchannel [shardchannel ...]]", Arity: -1, Keys: []KeySpec{Range(1, -1, 1, NotKey)},
		Flags: PubSub | NoScript | Loading | Stale, Group: GroupPubSub,
		Since: "7.0.0", Complexity: "O(N) with the number of shard channels.", Summary: "Stops listening to shard channels, or to all.", Run: sunsubscribe},
	{Name: "PUBLISH", Channels: Publishes, Syntax: "channel message", Arity: 3, Flags: PubSub | Loading | Stale | Fast | MayReplicate, Group: GroupPubSub,
		Since: "2.0.0", Complexity: "O(N+M) with the subscribers of the channel and all patterns.", Summary: "Sends a message to a channel.", Run: publish},
	{Name: "SPUBLISH", Channels: Publishes, Syntax: "shardchannel message", Arity: 3, Keys: First(NotKey), Flags: PubSub | Loading | Stale | Fast | MayReplicate,
		Group: GroupPubSub, Since: "7.0.0", Complexity: "O(N) with the subscribers of the channel.", Summary: "Sends a message to a shard channel.", Run: spublish},
	{Name: "PUBSUB", Arity: -2, Group: GroupPubSub, Since: "2.8.0", Complexity: "Depends on the subcommand.",
		Summary: "Commands about subscriptions.", Sub: []Spec{
			{Name: "CHANNELS", Syntax: "[pattern]", Arity: -2, Flags: PubSub | Loading | Stale, Since: "2.8.0",
				Complexity: "O(N) with the number of channels.", Summary: "Lists the channels somebody listens to.", Run: pubsubChannels},
			{Name: "NUMPAT", Arity: 2, Flags: PubSub | Loading | Stale, Since: "2.8.0", Complexity: "O(1)",
				Summary: "Returns the number of different patterns.", Run: pubsubNumpat},
			{Name: "NUMSUB", Syntax: "[channel [channel ...]]", Arity: -2, Flags: PubSub | Loading | Stale, Since: "2.8.0",
				Complexity: "O(N) with the number of channels asked for.", Summary: "Counts the subscribers of channels.", Run: pubsubNumsub},
			{Name: "SHARDCHANNELS", Syntax: "[pattern]", Arity: -2, Flags: PubSub | Loading | Stale, Since: "7.0.0",
				Complexity: "O(N) with the number of shard channels.", Summary: "Lists the shard channels somebody listens to.", Run: pubsubShardchannels},
			{Name: "SHARDNUMSUB", Syntax: "[shardchannel [shardchannel ...]]", Arity: -2, Flags: PubSub | Loading | Stale, Since: "7.0.0",
				Complexity: "O(N) with the number of channels asked for.", Summary: "Counts the subscribers of shard channels.", Run: pubsubShardnumsub},
			helpRow("6.2.0", 0),
		}},
}

// subKind is how one kind of subscription looks to clients.
type subKind struct {
	on, off string // the first words of the confirmations
	count   func(c *Conn) *int
	total   func(c *Conn) int // what the confirmation counts
}

func channelsAndPatterns(c *Conn) int { return c.Subs + c.PSubs }

var subKinds = [numSubKinds]subKind{
	SubChannel: {"subscribe", "unsubscribe", func(c *Conn) *int { return &c.Subs }, channelsAndPatterns},
	SubPattern: {"psubscribe", "punsubscribe", func(c *Conn) *int { return &c.PSubs }, channelsAndPatterns},
	SubShard:   {"ssubscribe", "sunsubscribe", func(c *Conn) *int { return &c.SSubs }, func(c *Conn) int { return c.SSubs }},
}

func subscribe(c *Call) error    { return subscribeTo(c, SubChannel) }
func unsubscribe(c *Call) error  { return unsubscribeFrom(c, SubChannel) }
func psubscribe(c *Call) error   { return subscribeTo(c, SubPattern) }
func punsubscribe(c *Call) error { return unsubscribeFrom(c, SubPattern) }
func sunsubscribe(c *Call) error { return unsubscribeFrom(c, SubShard) }

func ssubscribe(c *Call) error {
	if c.atomic {
		return ErrSSubscribeMulti
	}
	return subscribeTo(c, SubShard)
}

// subscribeTo confirms each subscription, new or not, by a push of its own; there is no other reply.
func subscribeTo(c *Call, kind SubKind) error {
	k := &subKinds[kind]
	c.pushes = true
	for _, name := range c.Args[1:] {
		if c.Env.Subscribe(c.Conn, kind, name) {
			*k.count(c.Conn)++
		}
		c.Push(3)
		c.BulkString(k.on)
		c.Bulk(name)
		c.Int(int64(k.total(c.Conn)))
	}
	return nil
}

func unsubscribeFrom(c *Call, kind SubKind) error {
	k := &subKinds[kind]
	c.pushes = true
	names := c.Args[1:]
	if len(names) == 0 {
		for _, name := range c.Env.Subscriptions(c.Conn, kind) {
			names = append(names, []byte(name))
		}
	}
	if len(names) == 0 {
		c.Push(3)
		c.BulkString(k.off)
		c.Null()
		c.Int(int64(k.total(c.Conn)))
	}
	for _, name := range names {
		if c.Env.Unsubscribe(c.Conn, kind, name) {
			*k.count(c.Conn)--
		}
		c.Push(3)
		c.BulkString(k.off)
		c.Bulk(name)
		c.Int(int64(k.total(c.Conn)))
	}
	return nil
}

func publish(c *Call) error {
	c.Int(int64(c.Env.Publish(c.Conn, SubChannel, c.Args[1], c.Args[2])))
	return nil
}

func spublish(c *Call) error {
	c.Int(int64(c.Env.Publish(c.Conn, SubShard, c.Args[1], c.Args[2])))
	return nil
}

func pubsubChannels(c *Call) error      { return listChannels(c, SubChannel) }
func pubsubShardchannels(c *Call) error { return listChannels(c, SubShard) }
func pubsubNumsub(c *Call) error        { return countSubscribers(c, SubChannel) }
func pubsubShardnumsub(c *Call) error   { return countSubscribers(c, SubShard) }

func listChannels(c *Call, kind SubKind) error {
	var pattern []byte
	switch len(c.Args) {
	case 2:
	case 3:
		pattern = c.Args[2]
	default:
		return errSubcommandArity("PUBSUB", c.Args[1])
	}
	names := c.Env.Channels(kind, pattern)
	c.Array(len(names))
	for _, name := range names {
		c.BulkString(name)
	}
	return nil
}

func countSubscribers(c *Call, kind SubKind) error {
	names := c.Args[2:]
	c.Array(2 * len(names))
	for _, name := range names {
		c.Bulk(name)
		c.Int(int64(c.Env.Subscribers(kind, name)))
	}
	return nil
}

func pubsubNumpat(c *Call) error {
	c.Int(int64(c.Env.Patterns()))
	return nil
}
