package server

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/streampulse/pulse/internal/script"
)

// transcriptVariants are the ways in which every transcript must give the same replies.
var transcriptVariants = []struct {
	name     string
	shards   int
	settings settings
	opts     script.Options
}{
	{name: "one shard", shards: 1},
	{name: "sixteen shards", shards: 16},
	{name: "small encodings", shards: 4, settings: settings{
		"hash-max-listpack-entries", "2", "hash-max-listpack-value", "4",
		"set-max-intset-entries", "2", "set-max-listpack-entries", "2", "set-max-listpack-value", "4",
		"zset-max-listpack-entries", "2", "zset-max-listpack-value", "4",
		"list-max-listpack-size", "2", "stream-node-max-entries", "2",
	}, opts: script.Options{Tuned: true}},
	{name: "in MULTI", shards: 4, opts: script.Options{WrapMulti: true}},
}

// TestTranscripts replays the transcripts of the commands over TCP in several configurations. With -rewrite -oracle they
// are recorded from a redis-server before.
func TestTranscripts(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join("..", "commands", "testdata", "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for i, v := range transcriptVariants {
		if i > 0 && script.Rewriting() {
			break
		}
		t.Run(v.name, func(t *testing.T) {
			srv := openWith(t, Options{Addr: "127.0.0.1:0", Shards: v.shards}, v.settings...)
			dial := func() (net.Conn, error) { return net.Dial("tcp", srv.Addr()) }
			for _, folder := range folders {
				files, _ := filepath.Glob(filepath.Join(folder, "*.txt"))
				if len(files) == 0 {
					continue
				}
				t.Run(filepath.Base(folder), func(t *testing.T) {
					script.RunDir(t, filepath.Join(folder, "*.txt"), dial, v.opts)
				})
			}
		})
	}
}

// notAcrossRestart are transcripts that another test must do, with the reason.
var notAcrossRestart = map[string]string{
	"server/config.txt":      "it says what appendonly is",
	"connection/waitaof.txt": "likewise",
	"hyperloglog/debug.txt":  "it adds to sparse values with other parameters than those that it ends with",
}

// TestTranscriptsAcrossRestart replays the transcripts on servers with an append-only file, one for each, and starts each
// server again after it: all that the transcript has left is there.
func TestTranscriptsAcrossRestart(t *testing.T) {
	if script.Rewriting() {
		t.Skip("transcripts are recorded")
	}
	paths, err := filepath.Glob(filepath.Join("..", "commands", "testdata", "*", "*.txt"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, path := range paths {
		name := filepath.Base(filepath.Dir(path)) + "/" + filepath.Base(path)
		if notAcrossRestart[name] != "" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := script.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			h := &replayHost{t: t, mode: replayMode{settings: settings{"appendonly", "yes", "appendfsync", "no"}}}
			if err := h.Begin(0, nil); err != nil {
				t.Fatal(err)
			}
			defer h.close()
			f.Run(t, h.Dial, script.Options{Proto: f.Protocols[0]})
			diffs, err := h.End()
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range diffs {
				t.Errorf("after the restart: %s", d)
			}
		})
	}
}
