package scripting

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/resp"
	"github.com/streampulse/pulse/server/scripting/lua"
)

// A Function is what redis.register_function registered.
type Function struct {
	Name        string
	Description string
	HasText     bool // a description was given
	Flags       Flags
	// User is whatever Options.UserOfFunction made.
	User any

	lib *library
}

// Library is the name of the function's library.
func (f *Function) Library() string { return f.lib.name }

// library is a loaded library. It is immutable; interpreters instantiate it for themselves.
type library struct {
	name  string
	code  string
	proto *lua.Proto
	funcs []*Function // in the order of their registration
}

// loaded is a library in one interpreter.
type loaded struct {
	closures map[string]*lua.Function
}

// libraries is a set of libraries; it is replaced, never changed.
type libraries struct {
	byName map[string]*library
	funcs  map[string]*Function // by their names in lower case, in which they are looked for
}

func newLibraries() *libraries {
	return &libraries{byName: make(map[string]*library), funcs: make(map[string]*Function)}
}

func (l *libraries) clone() *libraries {
	c := newLibraries()
	for n, lib := range l.byName {
		c.byName[n] = lib
	}
	for n, f := range l.funcs {
		c.funcs[n] = f
	}
	return c
}

func (l *libraries) remove(lib *library) {
	delete(l.byName, lib.name)
	for _, f := range lib.funcs {
		delete(l.funcs, strings.ToLower(f.Name))
	}
}

func (l *libraries) add(lib *library, replace bool) error {
	if old := l.byName[lib.name]; old != nil {
		if !replace {
			return fmt.Errorf("ERR Library '%s' already exists", lib.name)
		}
		l.remove(old)
	}
	for _, f := range lib.funcs {
		if l.funcs[strings.ToLower(f.Name)] != nil {
			return fmt.Errorf("ERR Function %s already exists", f.Name)
		}
	}
	l.byName[lib.name] = lib
	for _, f := range lib.funcs {
		l.funcs[strings.ToLower(f.Name)] = f
	}
	return nil
}

// LibraryInfo describes a library, for FUNCTION LIST and DUMP.
type LibraryInfo struct {
	Name      string
	Code      string
	Functions []*Function
}

// Libraries lists the libraries by name.
func (e *Engine) Libraries() []LibraryInfo {
	e.mu.RLock()
	defer e.mu.RUnlock()
	list := make([]LibraryInfo, 0, len(e.mu.libs.byName))
	for _, l := range e.mu.libs.byName {
		list = append(list, LibraryInfo{l.name, l.code, l.funcs})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Name < list[j].Name })
	return list
}

// Function finds a function by name, in either case; nil if there is none.
func (e *Engine) Function(name []byte) *Function {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.mu.libs.funcs[strings.ToLower(string(name))]
}

// LoadLibrary compiles and registers a library and returns its name. The error's text is the reply's.
func (e *Engine) LoadLibrary(code []byte, replace bool) (string, error) {
	lib, err := e.readLibrary(string(code))
	if err != nil {
		return "", err
	}
	// What is known to exist is said before the code runs.
	e.mu.RLock()
	_, exists := e.mu.libs.byName[lib.name]
	e.mu.RUnlock()
	if exists && !replace {
		return "", fmt.Errorf("ERR Library '%s' already exists", lib.name)
	}
	if err := e.registerLibrary(lib); err != nil {
		return "", err
	}
	e.mu.Lock()
	next := e.mu.libs.clone()
	err = next.add(lib, replace)
	if err == nil {
		e.mu.libs = next
	}
	e.mu.Unlock()
	if err != nil {
		return "", err
	}
	e.funcPool.drop()
	return lib.name, nil
}

// DeleteLibrary removes a library.
func (e *Engine) DeleteLibrary(name string) error {
	e.mu.Lock()
	lib := e.mu.libs.byName[name]
	if lib != nil {
		next := e.mu.libs.clone()
		next.remove(lib)
		e.mu.libs = next
	}
	e.mu.Unlock()
	if lib == nil {
		return errors.New("ERR Library not found")
	}
	e.funcPool.drop()
	return nil
}

// FlushLibraries removes all libraries.
func (e *Engine) FlushLibraries() {
	e.mu.Lock()
	e.mu.libs = newLibraries()
	e.mu.Unlock()
	e.funcPool.drop()
}

// RestorePolicy is how FUNCTION RESTORE treats what is there.
type RestorePolicy int

// The policies.
const (
	RestoreAppend RestorePolicy = iota
	RestoreReplace
	RestoreFlush
)

// RestoreLibraries loads libraries, all or none.
func (e *Engine) RestoreLibraries(codes []string, policy RestorePolicy) error {
	var list []*library
	for _, code := range codes {
		lib, err := e.readLibrary(code)
		if err != nil {
			return err
		}
		if err := e.registerLibrary(lib); err != nil {
			return err
		}
		list = append(list, lib)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	next := newLibraries()
	if policy != RestoreFlush {
		next = e.mu.libs.clone()
	}
	for _, lib := range list {
		if next.byName[lib.name] != nil && policy != RestoreReplace {
			return fmt.Errorf("ERR Library %s already exists", lib.name) // without the quotes of FUNCTION LOAD
		}
		if err := next.add(lib, policy == RestoreReplace); err != nil {
			return err
		}
	}
	e.mu.libs = next
	e.funcPool.drop()
	return nil
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return false
		}
	}
	return s != ""
}

const badName = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

// readLibrary reads the first line and compiles the rest.
func (e *Engine) readLibrary(code string) (*library, error) {
	if !strings.HasPrefix(code, "#!") {
		return nil, errors.New("ERR Missing library metadata")
	}
	line, _, ok := strings.Cut(code, "\n")
	if !ok {
		return nil, errors.New("ERR Invalid library metadata")
	}
	lib := &library{code: code}
	words, err := resp.SplitArgs([]byte(line[2:]))
	if err != nil || len(words) == 0 {
		return nil, errors.New("ERR Invalid library metadata")
	}
	engine := string(words[0])
	named := false
	for _, word := range words[1:] {
		w := string(word)
		name, ok := strings.CutPrefix(w, "name=")
		if !ok {
			return nil, fmt.Errorf("ERR Invalid metadata value given: %s", w)
		}
		if named {
			return nil, errors.New("ERR Invalid metadata value, name argument was given multiple times")
		}
		lib.name, named = name, true
	}
	switch {
	case !named:
		return nil, errors.New("ERR Library name was not given")
	case !validName(lib.name):
		return nil, errors.New("ERR " + badName)
	case !strings.EqualFold(engine, "lua"):
		return nil, fmt.Errorf("ERR Engine '%s' not found", engine)
	}
	if lib.proto, err = lua.Compile(code[len(line):], "@user_function"); err != nil {
		return nil, fmt.Errorf("ERR Error compiling function: %s", err)
	}
	lib.proto.Forget()
	return lib, nil
}

// loadTime is how long the code of a library may run while it loads.
const loadTime = 500 * time.Millisecond

// registerLibrary runs a library's code to learn its functions.
func (e *Engine) registerLibrary(lib *library) error {
	in := e.newInterp(true)
	if _, err := in.instantiate(lib); err != nil {
		return err
	}
	if len(lib.funcs) == 0 {
		return errors.New("ERR No functions registered")
	}
	for _, f := range lib.funcs {
		if e.opt.UserOfFunction != nil {
			f.User = e.opt.UserOfFunction(f)
		}
	}
	return nil
}

// instantiate runs a library's code in an interpreter. The first time it fills in the functions of lib.
func (in *interp) instantiate(lib *library) (l *loaded, err error) {
	l = &loaded{closures: make(map[string]*lua.Function)}
	first := lib.funcs == nil
	target := lib
	if !first {
		target = &library{name: lib.name}
	}
	in.into, in.funcs[target] = target, l
	globals := in.st.SwapGlobals(in.load)
	timer := time.AfterFunc(loadTime, func() { in.st.Stop(errors.New("ERR FUNCTION LOAD timeout")) })
	const prefix = "ERR Error registering functions: "
	defer func() {
		timer.Stop()
		in.st.SwapGlobals(globals)
		in.into = nil
		delete(in.funcs, target)
		switch p := recover().(type) {
		case nil:
		case *lua.Killed:
			err = errors.New(prefix + p.Error())
		default:
			panic(p)
		}
		in.st.Reset()
		if err == nil {
			in.funcs[lib] = l
		}
	}()
	t := in.st.Main()
	t.Push(lua.Fn(in.st.Closure(lib.proto)))
	if e := t.PCall(0, 0); e != nil {
		return nil, errors.New(prefix + in.errorText(e))
	}
	return l, nil
}

// Call runs a function and appends its reply to dst.
func (e *Engine) Call(f *Function, r *Run, dst []byte) []byte {
	in, life := e.funcPool.take()
	if in == nil {
		in = e.newInterp(true)
		in.life = life
	}
	in.name = f.Name
	dst, sound := in.execute(r, dst, func(t *lua.Thread) int {
		l := in.funcs[f.lib]
		if l == nil {
			var err error
			if l, err = in.instantiate(f.lib); err != nil {
				in.raise(t, strings.TrimPrefix(err.Error(), "ERR "))
			}
			r.attach(in.st) // a kill that came meanwhile was cleared
		}
		t.Push(lua.Fn(l.closures[f.Name]))
		t.Push(in.list(r.Keys))
		t.Push(in.list(r.Args))
		return 2
	})
	if sound {
		e.funcPool.give(in)
	}
	return dst
}

// openLoad fills the globals of loading libraries: redis with what may be used then.
func (in *interp) openLoad(e *Engine) {
	api := in.st.NewTable(0, 8)
	in.st.SetFuncs(api, map[string]lua.GoFunc{"log": in.log, "register_function": in.register})
	in.constants(e, api)
	in.load.SetStr("redis", lua.Tab(api))
	in.load.SetStr("server", lua.Tab(api))
}

// register is redis.register_function, with two arguments or a table of named ones.
func (in *interp) register(t *lua.Thread) int {
	if in.into == nil {
		in.raise(t, "redis.register_function can only be called on FUNCTION LOAD command")
	}
	f := &Function{lib: in.into}
	var callback *lua.Function
	switch t.NArgs() {
	case 1:
		args := t.Arg(1).AsTable()
		if args == nil {
			in.raise(t, "calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).")
		}
		callback = in.named(t, f, args)
	case 2:
		name, ok := in.string(t.Arg(1))
		if !ok {
			in.raise(t, "first argument to redis.register_function must be a string")
		}
		f.Name = name
		if callback = t.Arg(2).AsFunction(); callback == nil {
			in.raise(t, "second argument to redis.register_function must be a function")
		}
	default:
		in.raise(t, "wrong number of arguments to redis.register_function")
	}
	if !validName(f.Name) {
		in.raise(t, badName)
	}
	l := in.funcs[in.into]
	if l.closures[f.Name] != nil {
		in.raise(t, "Function already exists in the library")
	}
	l.closures[f.Name] = callback
	in.into.funcs = append(in.into.funcs, f)
	return 0
}

// string is a text or number as text.
func (in *interp) string(v lua.Value) (string, bool) {
	switch v.Kind() {
	case lua.String, lua.Number:
		return strings.Clone(in.st.Text(v)), true
	}
	return "", false
}

func (in *interp) named(t *lua.Thread, f *Function, args *lua.Table) (callback *lua.Function) {
	hasName := false
	for at := 0; ; {
		k, v, next, more := args.Step(at)
		if !more {
			break
		}
		at = next
		ok := false
		name, isText := k.AsString()
		if !isText {
			in.raise(t, "unknown argument given to redis.register_function")
		}
		switch name {
		case "function_name":
			if f.Name, ok = in.string(v); !ok {
				in.raise(t, "function_name argument given to redis.register_function must be a string")
			}
			hasName = true
		case "description":
			if f.Description, ok = in.string(v); !ok {
				in.raise(t, "description argument given to redis.register_function must be a string")
			}
			f.HasText = true
		case "callback":
			if callback = v.AsFunction(); callback == nil {
				in.raise(t, "callback argument given to redis.register_function must be a function")
			}
		case "flags":
			list := v.AsTable()
			if list == nil {
				in.raise(t, "flags argument to redis.register_function must be a table representing function flags")
			}
			for i := 1; !list.GetInt(i).IsNil(); i++ {
				text, _ := list.GetInt(i).AsString()
				flag, ok := flagByName(text)
				if !ok {
					in.raise(t, "unknown flag given")
				}
				f.Flags |= flag
			}
		default:
			in.raise(t, "unknown argument given to redis.register_function")
		}
	}
	if !hasName {
		in.raise(t, "redis.register_function must get a function name argument")
	}
	if callback == nil {
		in.raise(t, "redis.register_function must get a callback argument")
	}
	return callback
}
