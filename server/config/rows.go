package config

import "strconv"

// The constructors below keep a row on one line; what is rare is chained to them.

func boolean(name string, def bool, f Flag) Param {
	return Param{Name: name, Kind: KindBool, Flags: f, Default: yesNo(def)}
}

func integer(name string, def, lo, hi int64, f Flag) Param {
	return Param{Name: name, Kind: KindInt, Flags: f, Default: strconv.FormatInt(def, 10), Min: lo, Max: hi}
}

func memory(name string, def, lo, hi int64, f Flag) Param {
	return Param{Name: name, Kind: KindMemory, Flags: f, Default: strconv.FormatInt(def, 10), Min: lo, Max: hi}
}

func percentMemory(name string, f Flag) Param {
	return Param{Name: name, Kind: KindPercentMemory, Flags: f, Default: "0", Min: -100, Max: maxInt64}
}

func octal(name string, def, hi int64, f Flag) Param {
	return Param{Name: name, Kind: KindOctal, Flags: f, Default: strconv.FormatInt(def, 8), Max: hi}
}

func enum(name, def string, f Flag, values ...string) Param {
	return Param{Name: name, Kind: KindEnum, Flags: f, Default: def, Values: values}
}

func flags(name string, values ...string) Param {
	return Param{Name: name, Kind: KindFlags, Flags: Multi, Default: values[0], Values: values, check: checkShutdown}
}

func text(name, def string, f Flag) Param {
	return Param{Name: name, Kind: KindString, Flags: f, Default: def}
}

func special(name, def string, parse func([]string, *value, bool) (*value, error), f Flag) Param {
	return Param{Name: name, Kind: KindSpecial, Flags: f, Default: def, parse: parse}
}

func (p Param) alias(name string) Param {
	p.Alias = name
	return p
}

func (p Param) checked(f func(string) error) Param {
	p.check = f
	return p
}

func (p Param) normalized(f func(int64) int64) Param {
	p.normalize = f
	return p
}
