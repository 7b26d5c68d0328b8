package commands

import (
	"time"

	"github.com/streampulse/pulse/internal/glob"
	"github.com/streampulse/pulse/store/codec"
)

// Functions are the libraries of functions. The methods may be called from every loop.
type Functions interface {
	// Function returns the function of that name, nil if there is none.
	Function(name []byte) *Script
	// Libraries returns all libraries in the order of their names.
	Libraries() []*Library
	// LoadLibrary makes the library that code is, in the place of the one of that name if replace is set. The error is
	// the reply.
	LoadLibrary(code []byte, replace bool) (name string, err error)
	// DeleteLibrary reports whether there was such a library.
	DeleteLibrary(name []byte) bool
	FlushLibraries()
	// RestoreLibraries makes libraries of codes, all or none.
	RestoreLibraries(codes [][]byte, how RestorePolicy) error
	// Running tells what runs, if it is a function.
	Running() (r Running, ok bool)
}

// Library is a library of functions. It is immutable.
type Library struct {
	Name      string
	Code      string
	Functions []*Function // in the order of their names
}

// Function is a function of a library.
type Function struct {
	Script      *Script
	FlagNames   []string
	Description string
	Described   bool
}

// RestorePolicy says what becomes of libraries that exist.
type RestorePolicy uint8

const (
	RestoreAppend  RestorePolicy = iota // they stay, and one of the same name is an error
	RestoreFlush                        // they go
	RestoreReplace                      // those of the same name go
)

// Running is a run of a function.
type Running struct {
	Name    string
	Command []string
	Since   time.Duration // that it takes
}

func functionLoad(c *Call) error {
	a := c.From(2)
	replace := false
	for a.Left() > 1 {
		if !a.Is("REPLACE") {
			return errorf("ERR Unknown option given: %s", a.Next())
		}
		replace = true
	}
	name, err := c.Env.Scripts().LoadLibrary(a.Next(), replace)
	if err != nil {
		return err
	}
	c.Tx.Changed(1)
	c.BulkString(name)
	return nil
}

func functionDelete(c *Call) error {
	if !c.Env.Scripts().DeleteLibrary(c.Args[2]) {
		return ErrNoLibrary
	}
	c.Tx.Changed(1)
	c.OK()
	return nil
}

func functionFlush(c *Call) error {
	a := c.From(2)
	switch {
	case len(c.Args) > 3:
		return errSubcommandArity("FUNCTION", c.Args[1])
	case a.More() && !a.Is("SYNC") && !a.Is("ASYNC"):
		return ErrFunctionFlush
	}
	c.Env.Scripts().FlushLibraries()
	c.Tx.Changed(1)
	c.OK()
	return nil
}

func functionKill(c *Call) error {
	if err := c.Env.Scripts().KillScript(true); err != nil {
		return err
	}
	c.OK()
	return nil
}

func functionList(c *Call) error {
	var pattern []byte
	named, withCode := false, false
	for a := c.From(2); a.More(); {
		switch {
		case !withCode && a.Is("WITHCODE"):
			withCode = true
		case !named && a.Is("LIBRARYNAME"):
			if !a.More() {
				return ErrLibraryName
			}
			named, pattern = true, a.Next()
		default:
			return errorf("ERR Unknown argument %s", a.Next())
		}
	}
	at, n := c.Defer(), 0
	for _, l := range c.Env.Scripts().Libraries() {
		if named && !glob.Match(pattern, []byte(l.Name), false) {
			continue
		}
		c.writeLibrary(l, withCode)
		n++
	}
	c.EndArray(at, n)
	return nil
}

func (c *Call) writeLibrary(l *Library, withCode bool) {
	if withCode {
		c.Map(4)
	} else {
		c.Map(3)
	}
	c.BulkString("library_name")
	c.BulkString(l.Name)
	c.BulkString("engine")
	c.BulkString("LUA")
	c.BulkString("functions")
	c.Array(len(l.Functions))
	for _, f := range l.Functions {
		c.Map(3)
		c.BulkString("name")
		c.BulkString(f.Script.Name)
		c.BulkString("description")
		if f.Described {
			c.BulkString(f.Description)
		} else {
			c.Null()
		}
		c.BulkString("flags")
		c.flagSet(f.FlagNames)
	}
	if withCode {
		c.BulkString("library_code")
		c.BulkString(l.Code)
	}
}

func functionStats(c *Call) error {
	libraries, functions := c.Env.Scripts().Libraries(), 0
	for _, l := range libraries {
		functions += len(l.Functions)
	}
	c.Map(2)
	c.BulkString("running_script")
	if r, ok := c.Env.Scripts().Running(); ok {
		c.Map(3)
		c.BulkString("name")
		c.BulkString(r.Name)
		c.BulkString("command")
		c.Array(len(r.Command))
		for _, a := range r.Command {
			c.BulkString(a)
		}
		c.BulkString("duration_ms")
		c.Int(r.Since.Milliseconds())
	} else {
		c.Null()
	}
	c.BulkString("engines")
	c.Map(1)
	c.BulkString("LUA")
	c.Map(2)
	c.BulkString("libraries_count")
	c.Int(int64(len(libraries)))
	c.BulkString("functions_count")
	c.Int(int64(functions))
	return nil
}

func functionDump(c *Call) error {
	var codes [][]byte
	for _, l := range c.Env.Scripts().Libraries() {
		codes = append(codes, []byte(l.Code))
	}
	c.Bulk(codec.AppendFunctions(nil, codes, c.Tx.Limits().CompressTexts))
	return nil
}

func functionRestore(c *Call) error {
	how := RestoreAppend
	if a := c.From(3); a.More() {
		switch {
		case len(c.Args) > 4:
			return errSubcommandArity("FUNCTION", c.Args[1])
		case a.Is("FLUSH"):
			how = RestoreFlush
		case a.Is("REPLACE"):
			how = RestoreReplace
		case !a.Is("APPEND"):
			return ErrRestorePolicy
		}
	}
	codes, err := codec.Functions(c.Args[2])
	switch {
	case err == codec.ErrPayload:
		return ErrPayload
	case err != nil:
		return ErrFunctionPayload
	}
	if err := c.Env.Scripts().RestoreLibraries(codes, how); err != nil {
		return err
	}
	c.Tx.Changed(1)
	c.OK()
	return nil
}
