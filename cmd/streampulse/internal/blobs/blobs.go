// Package blobs keeps uploads and pictures in a blob store: a folder by default, S3 or memory by URL.
//
// Contract: what Put or Create has stored under a key is what Get returns, all of it or ErrNotFound; a Create that is not
// committed leaves nothing behind. A key is one or more names of letters, digits, '-', '_' and '.', none of which begins with a
// dot, with slashes between them: so no key leaves the store, whatever it is made of. A Store may be used by any number of goroutines.
//
// How: gocloud.dev/blob, whose drivers write to a temporary name and move it (a folder) or make an object visible when all of it has
// come (S3). The drivers for folders and memory are part of this package; the program adds the one for S3.
package blobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	_ "gocloud.dev/blob/memblob" // mem://
	"gocloud.dev/gcerrors"
)

var (
	// ErrNotFound says that there is nothing under a key.
	ErrNotFound = errors.New("blobs: not found")
	// ErrKey says that something is no key.
	ErrKey = errors.New("blobs: not a key")
	// ErrTooLarge says that there is more under a key than the caller would take.
	ErrTooLarge = errors.New("blobs: too large")
)

const maxKey = 200

// Store is an open blob store.
type Store struct{ bucket *blob.Bucket }

// Open opens the store at a URL such as s3://bucket?region=eu-central-1, mem:// or file:///folder; what has no scheme is a
// folder, which is made when it is not there.
func Open(ctx context.Context, where string) (*Store, error) {
	if where == "" {
		return nil, errors.New("blobs: neither a folder nor a URL")
	}
	var b *blob.Bucket
	var err error
	if strings.Contains(where, "://") {
		b, err = blob.OpenBucket(ctx, where)
	} else {
		b, err = fileblob.OpenBucket(where, &fileblob.Options{
			CreateDir: true, DirFileMode: 0o750, NoTempDir: true, Metadata: fileblob.MetadataDontWrite,
		})
	}
	if err != nil {
		return nil, fmt.Errorf("blobs: %w", err)
	}
	return &Store{b}, nil
}

// Close ends the use of the store.
func (s *Store) Close() error { return s.bucket.Close() }

// CheckKey says by ErrKey what is no key.
func CheckKey(key string) error {
	if len(key) == 0 || len(key) > maxKey {
		return fmt.Errorf("%w: %d bytes", ErrKey, len(key))
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || name[0] == '.' {
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
		for _, c := range []byte(name) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
				return fmt.Errorf("%w: %q", ErrKey, key)
			}
		}
	}
	return nil
}

// Create stores what r yields until its end. When r or the store fails, or ctx ends, nothing is stored.
func (s *Store) Create(ctx context.Context, key string, r io.Reader) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := s.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	if _, err := io.Copy(w, r); err != nil {
		cancel() // a writer whose context has ended drops what it was given
		_ = w.Close()
		return fmt.Errorf("blobs: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("blobs: %w", err)
	}
	return nil
}

// Put stores data.
func (s *Store) Put(ctx context.Context, key string, data []byte) error {
	return s.Create(ctx, key, strings.NewReader(string(data)))
}

// Get returns what is stored, if that has at most limit bytes.
func (s *Store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	r, err := s.bucket.NewReader(ctx, key, nil)
	if err != nil {
		return nil, known(err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("blobs: %w", err)
	case int64(len(data)) > limit:
		return nil, ErrTooLarge
	}
	return data, nil
}

// Delete removes what is there, if anything is.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := known(s.bucket.Delete(ctx, key)); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	return nil
}

func known(err error) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return ErrNotFound
	}
	return fmt.Errorf("blobs: %w", err)
}
