package blobs_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
)

func TestStores(t *testing.T) {
	ctx := context.Background()
	folder := filepath.Join(t.TempDir(), "not", "there yet")
	for name, where := range map[string]string{
		"folder": folder,
		"file":   (&url.URL{Scheme: "file", Path: filepath.ToSlash(t.TempDir())}).String() + "?no_tmp_dir=1",
		"memory": "mem://",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := blobs.Open(ctx, where)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			data := bytes.Repeat([]byte("pixel"), 1000)
			if _, err := s.Get(ctx, "a/b.png", 1<<20); !errors.Is(err, blobs.ErrNotFound) {
				t.Errorf("before: %v", err)
			}
			if err := s.Put(ctx, "a/b.png", data); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Get(ctx, "a/b.png", int64(len(data))); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if _, err := s.Get(ctx, "a/b.png", int64(len(data))-1); !errors.Is(err, blobs.ErrTooLarge) {
				t.Errorf("a byte too many: %v", err)
			}
			broken := io.MultiReader(bytes.NewReader(data), iotest.ErrReader(io.ErrUnexpectedEOF))
			if err := s.Create(ctx, "half", broken); !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("an upload that breaks off: %v", err)
			}
			if _, err := s.Get(ctx, "half", 1<<20); !errors.Is(err, blobs.ErrNotFound) {
				t.Errorf("half of an upload: %v", err)
			}
			for range 2 {
				if err := s.Delete(ctx, "a/b.png"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	left, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(left) > 1 { // the folder a
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestKeysThatLeaveTheStore(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := blobs.Open(ctx, filepath.Join(dir, "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, key := range []string{
		"", "/", "a//b", "../secret", "a/../../secret", "..", ".", "/etc/passwd", "a/", ".hidden", "a/.b", "a\\b", "a\x00b", "a b", "é",
		"a%2fb", "C:x", strings.Repeat("x", 201),
	} {
		_, get := s.Get(ctx, key, 10)
		for what, err := range map[string]error{"get": get, "put": s.Put(ctx, key, nil), "delete": s.Delete(ctx, key)} {
			if !errors.Is(err, blobs.ErrKey) {
				t.Errorf("%s %q: %v", what, key, err)
			}
		}
	}
	for _, where := range []string{"nosuch://bucket", "file:///nowhere/at/all", ""} {
		if s, err := blobs.Open(ctx, where); err == nil {
			_ = s.Close()
			t.Errorf("%q opens", where)
		}
	}
}
