package scripting

import (
	"strings"

	"github.com/streampulse/pulse/server/scripting/lua"
)

// openAPI adds the table redis and its other name, server.
func (in *interp) openAPI(e *Engine) {
	s := in.st
	api := s.NewTable(0, 32)
	s.SetFuncs(api, map[string]lua.GoFunc{
		"call":  func(t *lua.Thread) int { return in.call(t, true) },
		"pcall": func(t *lua.Thread) int { return in.call(t, false) },
		"log":   in.log, "sha1hex": in.sha1hex,
		"error_reply": in.errorReply, "status_reply": in.statusReply,
		"setresp": in.setResp, "set_repl": in.setRepl, "acl_check_cmd": in.aclCheck,
		"replicate_commands": func(t *lua.Thread) int { return t.Return(lua.Bool(true)) },
		"breakpoint":         func(t *lua.Thread) int { return t.Return(lua.Bool(false)) },
		"debug":              func(*lua.Thread) int { return 0 },
	})
	in.constants(e, api)
	for name, v := range map[string]int{"REPL_NONE": ReplNone, "REPL_AOF": ReplAOF, "REPL_SLAVE": ReplReplica, "REPL_REPLICA": ReplReplica,
		"REPL_ALL": ReplAll} {
		api.SetStr(name, lua.Int(v))
	}
	in.api = api
	s.Globals().SetStr("redis", lua.Tab(api))
	s.Globals().SetStr("server", lua.Tab(api))
}

func (in *interp) constants(e *Engine, api *lua.Table) {
	for i, name := range []string{"LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"} {
		api.SetStr(name, lua.Int(i))
	}
	api.SetStr("REDIS_VERSION", lua.Str(e.opt.Version))
	api.SetStr("REDIS_VERSION_NUM", lua.Int(e.opt.VersionNum))
}

// raise ends the script with an error reply.
func (in *interp) raise(t *lua.Thread, text string) { t.Raise(in.errorTable(text)) }

// errorTable is the value of an error. A text that begins with '-' and has several words brings its own code; any other gets ERR.
func (in *interp) errorTable(text string) lua.Value {
	if own, ok := strings.CutPrefix(text, "-"); ok && strings.Contains(own, " ") {
		text = own
	} else {
		text = "ERR " + own
	}
	tab := in.st.NewTable(0, 1)
	tab.SetStr("err", in.st.Str(text))
	return lua.Tab(tab)
}

// collect gathers the arguments of a command. The slices share the bytes of strings.
func (in *interp) collect(t *lua.Thread) (wrong string) {
	n := t.NArgs()
	if n == 0 {
		return "Please specify at least one argument for this redis lib call"
	}
	args := in.args[:0]
	in.nums = in.nums[:0]
	size := 0
	for i := 1; i <= n; i++ {
		v := t.Arg(i)
		switch v.Kind() {
		case lua.String:
			s, _ := v.AsString()
			size += len(s)
			args = append(args, view(s))
		case lua.Number:
			f, _ := v.AsNumber()
			from := len(in.nums)
			// A former argument keeps the array that it was written to, should this one grow.
			in.nums = lua.AppendG(in.nums, f, 17)
			args = append(args, in.nums[from:len(in.nums):len(in.nums)])
		default:
			in.args = args
			return "Lua redis lib command arguments must be strings or integers"
		}
	}
	in.args = args
	in.st.Work(n + size>>6)
	return ""
}

// call is redis.call, and redis.pcall without raises.
func (in *interp) call(t *lua.Thread, raises bool) int {
	var v lua.Value
	if wrong := in.collect(t); wrong != "" {
		v = in.errorTable(wrong)
		if raises {
			t.Raise(v)
		}
		return t.Return(v)
	}
	if in.run == nil {
		in.raise(t, "redis.call/pcall can only be called inside a script invocation")
	}
	raw := in.run.Caller.Call(in.args, in.proto)
	if len(raw) > 0 && raw[0] == '-' {
		v = in.failure(raw)
		if raises {
			t.Raise(v)
		}
		return t.Return(v)
	}
	p := parser{in: in, t: t, raw: raw}
	v = p.value(0)
	return t.Return(v)
}

// failure is the table for the error of a command.
func (in *interp) failure(raw []byte) lua.Value {
	tab := in.st.NewTable(0, 2)
	tab.SetStr("err", in.st.Bytes(line(raw[1:])))
	tab.SetStr("ignore_error_stats_update", lua.Bool(true))
	return lua.Tab(tab)
}

func (in *interp) log(t *lua.Thread) int {
	if t.NArgs() < 2 {
		in.raise(t, "redis.log() requires two arguments or more.")
	}
	f, ok := t.Arg(1).AsNumber()
	if !ok {
		in.raise(t, "First argument must be a number (log level).")
	}
	level := lua.ToInt(f)
	if level < 0 || level > 3 {
		in.raise(t, "Invalid debug level.")
	}
	var words []string
	for i := 2; i <= t.NArgs(); i++ {
		switch v := t.Arg(i); v.Kind() {
		case lua.String, lua.Number:
			words = append(words, in.st.Text(v))
		}
	}
	if in.run != nil && in.run.Caller != nil {
		in.run.Caller.Log(int(level), strings.Join(words, " "))
	}
	return 0
}

func (in *interp) sha1hex(t *lua.Thread) int {
	if t.NArgs() != 1 {
		in.raise(t, "wrong number of arguments")
	}
	text := ""
	switch v := t.Arg(1); v.Kind() {
	case lua.String, lua.Number:
		text = in.st.Text(v)
	}
	in.st.Work(len(text) >> 4)
	return t.Return(in.st.Str(SHA1(text)))
}

// single returns the one string argument of error_reply and status_reply.
func (in *interp) single(t *lua.Thread) (string, bool) {
	s, ok := t.Arg(1).AsString()
	return s, ok && t.NArgs() == 1
}

func (in *interp) errorReply(t *lua.Thread) int {
	s, ok := in.single(t)
	if !ok {
		return t.Return(in.errorTable("wrong number or type of arguments"))
	}
	if !strings.HasPrefix(s, "-") {
		s = "-" + s
	}
	return t.Return(in.errorTable(s))
}

func (in *interp) statusReply(t *lua.Thread) int {
	s, ok := in.single(t)
	if !ok {
		return t.Return(in.errorTable("wrong number or type of arguments"))
	}
	tab := in.st.NewTable(0, 1)
	tab.SetStr("ok", lua.Str(s))
	return t.Return(lua.Tab(tab))
}

func (in *interp) setResp(t *lua.Thread) int {
	if t.NArgs() != 1 {
		in.raise(t, "redis.setresp() requires one argument.")
	}
	f, _ := t.Arg(1).AsNumber()
	if v := lua.ToInt(f); v == 2 || v == 3 {
		in.proto = int(v)
		return 0
	}
	in.raise(t, "RESP version must be 2 or 3.")
	return 0
}

func (in *interp) setRepl(t *lua.Thread) int {
	if t.NArgs() != 1 {
		in.raise(t, "redis.set_repl() requires two arguments.")
	}
	f, _ := t.Arg(1).AsNumber()
	flags := lua.ToInt(f)
	if flags&^ReplAll != 0 {
		in.raise(t, "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.")
	}
	in.run.Caller.SetRepl(int(flags))
	return 0
}

func (in *interp) aclCheck(t *lua.Thread) int {
	if wrong := in.collect(t); wrong != "" {
		in.raise(t, wrong)
	}
	allowed, known := in.run.Caller.Allowed(in.args)
	if !known {
		in.raise(t, "Invalid command passed to redis.acl_check_cmd()")
	}
	return t.Return(lua.Bool(allowed))
}
