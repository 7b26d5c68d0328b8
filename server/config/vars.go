package config

// A Var is a parameter looked up once, at start, and read often. The accessors of Config that return one panic when the
// table has no such parameter or it is of another kind: that is a mistake in the program.

// IntVar reads a parameter that holds a number: KindInt, KindMemory, KindOctal, KindPercentMemory.
type IntVar slot

// Load is the current number; minus the percentage for a percentage.
func (v *IntVar) Load() int64 { return v.num.Load() }

// BoolVar reads a KindBool.
type BoolVar slot

// Load is the current value.
func (v *BoolVar) Load() bool { return v.num.Load() != 0 }

// EnumVar reads a KindEnum or KindFlags.
type EnumVar slot

// Load is the current name; for KindFlags the names with a space between them.
func (v *EnumVar) Load() string { return v.val.Load().text }

// Index is the position of the current name in the row's Values; for KindFlags bit n stands for Values[n+1].
func (v *EnumVar) Index() int { return int(v.num.Load()) }

// StringVar reads a KindString, or the text of any other parameter.
type StringVar slot

// Load is the current text.
func (v *StringVar) Load() string { return v.val.Load().text }

// Var reads a KindSpecial.
type Var[T any] struct{ s *slot }

// Load is the current value. It is shared and must not be modified.
func (v Var[T]) Load() T { return v.s.val.Load().data.(T) }

func (c *Config) slot(name string, kinds ...Kind) *slot {
	i, ok := byName[name]
	if !ok {
		panic("config: no parameter " + name)
	}
	for _, k := range kinds {
		if params[i].Kind == k {
			return &c.slots[i]
		}
	}
	if len(kinds) > 0 {
		panic("config: " + name + " is of another kind")
	}
	return &c.slots[i]
}

// Int finds a parameter that holds a number.
func (c *Config) Int(name string) *IntVar {
	return (*IntVar)(c.slot(name, KindInt, KindMemory, KindOctal, KindPercentMemory))
}

// Bool finds a KindBool.
func (c *Config) Bool(name string) *BoolVar { return (*BoolVar)(c.slot(name, KindBool)) }

// Enum finds a KindEnum or KindFlags.
func (c *Config) Enum(name string) *EnumVar { return (*EnumVar)(c.slot(name, KindEnum, KindFlags)) }

// String finds a parameter of any kind.
func (c *Config) String(name string) *StringVar { return (*StringVar)(c.slot(name)) }

// SaveVar reads the save points.
type SaveVar slot

// Load is the current list, which is shared and must not be modified.
func (v *SaveVar) Load() []SavePoint { return v.val.Load().data.(saveData).points }

// Save finds the save points.
func (c *Config) Save() *SaveVar { return (*SaveVar)(c.slot("save")) }

// OutputLimits finds client-output-buffer-limit.
func (c *Config) OutputLimits() Var[OutputLimits] {
	return Var[OutputLimits]{c.slot("client-output-buffer-limit")}
}

// Bind finds the addresses to listen on; a '-' before one says that it may be missing.
func (c *Config) Bind() Var[[]string] { return Var[[]string]{c.slot("bind")} }

// ReplicaOf finds the address of the master.
func (c *Config) ReplicaOf() Var[HostPort] { return Var[HostPort]{c.slot("replicaof")} }

// Percentiles finds latency-tracking-info-percentiles.
func (c *Config) Percentiles() Var[[]float64] {
	return Var[[]float64]{c.slot("latency-tracking-info-percentiles")}
}

// Notify finds notify-keyspace-events.
func (c *Config) Notify() *NotifyVar { return (*NotifyVar)(c.slot("notify-keyspace-events")) }

// NotifyVar reads notify-keyspace-events.
type NotifyVar slot

// Load is the current set of event classes.
func (v *NotifyVar) Load() NotifyFlags { return NotifyFlags(v.num.Load()) }
