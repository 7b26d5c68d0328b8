package load

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
)

func TestDocumentIsJSON(t *testing.T) {
	d := document(documentSize)
	if n := len(d); n < documentSize-100 || n > documentSize+100 || strings.ContainsAny(d, " \t\r\n%") {
		t.Errorf("%d bytes: %s", n, d)
	}
	if err := json.Unmarshal([]byte(d), new(struct{ Orders []struct{ ID uint64 } })); err != nil {
		t.Error(err)
	}
}

// Scripts must do what they are measured for: find their keys, decide about requests, count, and keep what they decode.
func TestScriptWorkloadsDoTheirWork(t *testing.T) {
	p := server(t)
	ctx := context.Background()
	rdb := client(t, p.Addr)
	shape := NewShape(1000, 32, 0)
	for _, w := range ScriptWorkloads {
		if missing, err := Missing(ctx, p.Addr, w.Commands()...); err != nil || len(missing) > 0 {
			t.Fatalf("%s: redis-server does not know %q, %v", w.Name, missing, err)
		}
		if err := Flush(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		if err := Lay(ctx, p.Addr, w.Data, shape); err != nil {
			t.Fatal(err)
		}
		o := Options{Clients: 2, Pipeline: 4, Threads: 1, Requests: 200}
		if _, err := w.Run(ctx, p.Addr, shape, o); err == nil || !strings.Contains(err.Error(), "NOSCRIPT") {
			t.Errorf("%s without its script: %v", w.Name, err)
		}
		if err := w.LoadScript(ctx, p.Addr); err != nil {
			t.Fatal(err)
		}
		r, err := w.Run(ctx, p.Addr, shape, o)
		if err != nil || r.Requests != 200 || r.Nulls != 0 {
			t.Errorf("%s: %+v, %v", w.Name, r, err)
		}
		request, _ := newTemplate(w.Command, 1, 5, shape).Next()
		cmd := rdb.Do(ctx, words(request)...)
		switch w.Name {
		case "GET_KEY":
			if v, err := cmd.Text(); err != nil || len(v) != 32 {
				t.Errorf("%s: %q, %v", w.Name, v, err)
			}
		case "GCRA", "SLIDING_LOG":
			// 200 requests of 10 ids: of each, either 10 at once may pass or all 20 of the 100 in a second.
			admitted := map[string]int64{"GCRA": 0, "SLIDING_LOG": 1}[w.Name]
			if v, err := cmd.Int64Slice(); err != nil || len(v) != 5 || v[0] != admitted {
				t.Errorf("%s: %v, %v", w.Name, v, err)
			}
		case "INCR_1000":
			if err := cmd.Err(); err != nil || cmd.Val() != "OK" {
				t.Errorf("%s: %v, %v", w.Name, cmd.Val(), err)
			}
			keys, err := rdb.Keys(ctx, "cnt:*").Result()
			if err != nil || len(keys) < 100 {
				t.Fatalf("%s: %d counters, %v", w.Name, len(keys), err)
			}
			if n, err := rdb.Get(ctx, keys[0]).Int(); err != nil || n == 0 || n%1000 != 0 {
				t.Errorf("%s: %d, %v", w.Name, n, err)
			}
		case "CJSON_2k":
			if n, err := cmd.Int(); err != nil || n != len(document(documentSize)) {
				t.Errorf("%s: %d bytes, %v", w.Name, n, err)
			}
		default:
			t.Errorf("%s is not checked", w.Name)
		}
		if err := rdb.ScriptFlush(ctx).Err(); err != nil {
			t.Fatal(err)
		}
	}
}
