package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoFile is returned by Rewrite when the parameters came from no file.
var ErrNoFile = errors.New("The server is running without a config file") //nolint:staticcheck // Redis's words

// SetFile says which file the parameters were read from; ParseArgs has done it. The path is absolute; "" is none.
func (c *Config) SetFile(path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.file = path
}

// File is the absolute path of the file that the parameters were read from, or empty.
func (c *Config) File() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.mu.file
}

// Rewrite writes the values into the file they were read from, as Rewritten says; one that is gone is made anew. The file
// is replaced as a whole or not at all: whoever reads it, also after a crash, finds the old text or the new one. It keeps
// its permissions, and a symbolic link goes on pointing to it. The error is ErrNoFile, or a sentence of the system.
func (c *Config) Rewrite() error { return c.rewriteFile(false) }

// RewriteAll is Rewrite with a line for every parameter.
func (c *Config) RewriteAll() error { return c.rewriteFile(true) }

func (c *Config) rewriteFile(all bool) error {
	path := c.File()
	if path == "" {
		return ErrNoFile
	}
	c.rewriting.Lock()
	defer c.rewriting.Unlock()
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	text, err := readFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return reason(err)
	}
	if err := replaceFile(path, c.Rewritten(text, all)); err != nil {
		return reason(err)
	}
	return nil
}

// replaceFile puts a new file in the place of the one at path. Where there is none, it is nobody else's to read: it may
// hold passwords.
func replaceFile(path string, text []byte) (err error) {
	old, _ := os.Stat(path)
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(text); err != nil {
		return err
	}
	if old != nil {
		keepOwner(f, old)
		if err := f.Chmod(old.Mode().Perm()); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(dir)
}
