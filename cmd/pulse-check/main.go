// Command pulse-check looks whether the files of a server are whole, and repairs them. No server may have them open.
//
//	pulse-check [--fix [--yes]] [--truncate-to-timestamp SECONDS] FILE...
//
// What a FILE is shows in its content: an RDB file, an append-only file with an RDB file in front or without, the manifest
// of an append-only file, or a directory with any of these. Pulse's frames and Redis's plain commands are both known. It
// prints what redis-check-rdb and redis-check-aof print, and under these names it takes everything for what they do.
//
// With --fix an append-only file is cut off where it stops making sense, outside of any transaction; what is cut off is
// kept beside it. Of an RDB file all keys that can be read go to a new file beside it. It asks first, unless --yes is
// given. The exit code is 0 if everything was good, or has been repaired, and 1 otherwise.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/streampulse/pulse/internal/vfs"
)

func main() { os.Exit(run(filepath.Base(os.Args[0]), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

const usage = `Usage: pulse-check [--fix [--yes]] [--truncate-to-timestamp $timestamp] <file|directory>...

       <file> is an RDB file, an append-only file or its manifest.
       --fix cuts a damaged append-only file off, and keeps what it cuts; of an RDB file it writes
             the keys that can be read to a new file. It asks first.
       --yes does not ask.
       --truncate-to-timestamp takes off what was written after that time, in Unix seconds.
`

// checker looks at files, one after the other.
type checker struct {
	out      io.Writer
	in       *bufio.Reader
	fs       vfs.FS
	now      func() time.Time
	kind     kind // what files are taken for; unknown: their content tells
	fix, yes bool
	until    int64 // seconds; with -1 nothing is taken off because of its time
}

type kind byte

const (
	unknown kind = iota
	rdbFile
	logFile
	manifestFile
)

func run(name string, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &checker{out: stdout, in: bufio.NewReader(stdin), fs: vfs.OS, now: time.Now, until: -1}
	switch {
	case strings.HasPrefix(name, "redis-check-rdb"):
		c.kind = rdbFile
	case strings.HasPrefix(name, "redis-check-aof"):
		c.kind = logFile
	}
	var files []string
	for i := 0; i < len(args); i++ {
		switch a := args[i]; {
		case a == "--fix":
			c.fix = true
		case a == "--yes" || a == "-y":
			c.yes = true
		case a == "--truncate-to-timestamp" && i+1 < len(args):
			i++
			n, err := strconv.ParseInt(args[i], 10, 64)
			if err != nil || n < 0 {
				fmt.Fprintf(stderr, "Invalid timestamp: %s\n", args[i])
				return 1
			}
			c.until = n
		case a == "-h" || a == "--help":
			fmt.Fprint(stdout, usage)
			return 0
		case strings.HasPrefix(a, "-") && a != "-":
			fmt.Fprintf(stderr, "Invalid argument: %s\n%s", a, usage)
			return 1
		default:
			files = append(files, a)
		}
	}
	if len(files) == 0 || c.fix && c.until >= 0 {
		fmt.Fprint(stderr, usage)
		return 1
	}
	code := 0
	for _, f := range files {
		if err := c.check(f); err != nil {
			if err != errSaid {
				c.say("%v", err)
			}
			code = 1
		}
	}
	return code
}

// errSaid is the error of a file that has been told about.
var errSaid = errors.New("the file is not good")

func (c *checker) say(format string, args ...any) { fmt.Fprintf(c.out, format+"\n", args...) }

// check looks at a file or directory.
func (c *checker) check(path string) error {
	info, err := c.fs.Stat(path)
	switch {
	case err != nil:
		return cannot(path, err)
	case info.IsDir():
		return c.directory(path)
	}
	k := c.kind
	if k == unknown || k == logFile {
		found, err := c.look(path)
		if err != nil {
			return err
		}
		if k == unknown || found == manifestFile {
			k = found
		}
	}
	if c.fix || c.until >= 0 {
		release, err := c.lock(path)
		if err != nil {
			return err
		}
		defer release()
	}
	switch k {
	case rdbFile:
		return c.dump(path)
	case manifestFile:
		return c.manifest(path)
	}
	c.say("Start checking Old-Style AOF")
	return c.log(path, "AOF", true)
}

func cannot(path string, err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("Cannot open file %s: %w", path, err)
}

// look tells what a file is.
func (c *checker) look(path string) (kind, error) {
	f, err := c.fs.Open(path)
	if err != nil {
		return unknown, cannot(path, err)
	}
	defer f.Close()
	head := make([]byte, 16)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return unknown, cannot(path, err)
	}
	head = head[:n]
	switch ext := filepath.Ext(path); {
	case ext == ".manifest":
		return manifestFile, nil
	case ext == ".rdb" && !strings.HasSuffix(path, ".base.rdb"):
		return rdbFile, nil
	case bytes.HasPrefix(head, []byte("REDIS")):
		if size, err := f.Size(); err == nil && c.endsAt(f) == size {
			return rdbFile, nil
		}
		return logFile, nil
	case ext == ".aof", n == 0, head[0] == '*', head[0] == '#':
		return logFile, nil
	case bytes.HasPrefix(head, []byte("file ")):
		return manifestFile, nil
	}
	return unknown, fmt.Errorf("%s is neither an RDB file nor an append-only file nor a manifest", path)
}

// directory looks at all files of a server's directory, or of an append-only file's.
func (c *checker) directory(dir string) error {
	files, err := c.found(dir)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("%s holds neither an RDB file nor an append-only file", dir)
	}
	for _, f := range files {
		if bad := c.check(f); bad != nil {
			if bad != errSaid {
				c.say("%v", bad)
			}
			err = errSaid
		}
	}
	return err
}

// found lists the RDB files, manifests and single append-only files in a directory and those below it.
func (c *checker) found(dir string) (files []string, err error) {
	list, err := c.fs.ReadDir(dir)
	if err != nil {
		return nil, cannot(dir, err)
	}
	manifest := false
	for _, e := range list {
		manifest = manifest || strings.HasSuffix(e.Name(), ".manifest") && !strings.HasPrefix(e.Name(), "temp")
	}
	for _, e := range list {
		name := e.Name()
		path := filepath.Join(dir, name)
		switch ext := filepath.Ext(name); {
		case e.IsDir():
			more, err := c.found(path)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		case strings.HasPrefix(name, "temp"):
		case ext == ".manifest", (ext == ".rdb" || ext == ".aof") && !manifest:
			files = append(files, path)
		}
	}
	return files, nil
}

// lock keeps servers away from what is going to be changed.
func (c *checker) lock(path string) (release func(), err error) {
	dir := filepath.Dir(path)
	for _, d := range []string{dir, filepath.Join(dir, "..")} {
		if _, err := c.fs.Stat(filepath.Join(d, vfs.LockName)); err != nil {
			continue
		}
		l, err := c.fs.Lock(d)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be changed: %w", path, err)
		}
		return func() { _ = l.Close() }, nil // it goes with the process in any case
	}
	return func() {}, nil
}

// agreed asks whether to go on.
func (c *checker) agreed() bool {
	if c.yes {
		return true
	}
	fmt.Fprint(c.out, "Continue? [y/N]: ")
	line, _ := c.in.ReadString('\n') // the end of the input is a no
	if strings.EqualFold(strings.TrimSpace(line), "y") {
		return true
	}
	c.say("Aborting...")
	return false
}

// aside returns a name beside path that no file has.
func (c *checker) aside(path, what string) string {
	stem := fmt.Sprintf("%s.%s-%d", path, what, c.now().Unix())
	name := stem
	for n := 2; ; n++ {
		if _, err := c.fs.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
		name = fmt.Sprintf("%s.%d", stem, n)
	}
}
