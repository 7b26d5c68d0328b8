package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streampulse/pulse/cmd/streampulse/internal/blobs"
)

// bucket is as much of S3 as the service asks for: objects that are put, got and deleted by path.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential=me/") {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	switch r.Method {
	case http.MethodPut:
		data, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		b.objects[r.URL.Path] = data
	case http.MethodGet, http.MethodHead:
		data, ok := b.objects[r.URL.Path]
		if !ok {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>`)
			return
		}
		http.ServeContent(w, r, "", time.Unix(1_700_000_000, 0), bytes.NewReader(data))
	case http.MethodDelete:
		delete(b.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	}
}

func TestS3(t *testing.T) {
	s3 := &bucket{objects: map[string][]byte{}}
	fake := httptest.NewServer(s3)
	defer fake.Close()
	t.Setenv("AWS_ACCESS_KEY_ID", "me")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	ctx := context.Background()
	s, err := blobs.Open(ctx, "s3://pictures?region=eu-central-1&use_path_style=true&request_checksum_calculation=when_required&endpoint="+fake.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	data := bytes.Repeat([]byte("pixel"), 1000)
	if err := s.Put(ctx, "avatars/ada/x-64.png", data); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(s3.objects["/pictures/avatars/ada/x-64.png"], data) {
		t.Errorf("the bucket has %d objects", len(s3.objects))
	}
	if got, err := s.Get(ctx, "avatars/ada/x-64.png", 1<<20); err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := s.Delete(ctx, "avatars/ada/x-64.png"); err != nil {
		t.Error(err)
	}
	if _, err := s.Get(ctx, "avatars/ada/x-64.png", 1<<20); !errors.Is(err, blobs.ErrNotFound) {
		t.Error(err)
	}
	if err := s.Delete(ctx, "avatars/ada/x-64.png"); err != nil {
		t.Error(err)
	}
}
