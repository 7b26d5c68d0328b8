package load

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/streampulse/pulse/bench/ratelimit"
)

// documentSize is about how long the JSON of CJSON_2k is, in bytes.
const documentSize = 2048

// ScriptWorkloads are EVALSHA of scripts as guides and libraries have them, each request on a key of its own.
var ScriptWorkloads = []Workload{
	scriptWorkload("GET_KEY", redis.NewScript(`return redis.call('GET',KEYS[1])`), "1 key:%K", Strings),
	// 60 a minute, 10 at once: some of the requests are refused.
	scriptWorkload("GCRA", ratelimit.GCRAScript, "1 gcra:%C 1000000 10", Empty),
	// 100 a second. Apart from the time, a request that is admitted makes four calls.
	scriptWorkload("SLIDING_LOG", ratelimit.SlidingLogScript, "1 log:%C 100 1000000 %K", Empty),
	scriptWorkload("INCR_1000", redis.NewScript(`for i = 1, 1000 do redis.call('INCR', KEYS[1]) end return redis.status_reply('OK')`), "1 cnt:%K", Empty),
	scriptWorkload("CJSON_2k", redis.NewScript(`return #cjson.encode(cjson.decode(ARGV[1]))`), "0 "+document(documentSize), Empty),
}

func scriptWorkload(name string, script *redis.Script, args string, d Dataset) Workload {
	return Workload{Name: name, Command: "EVALSHA " + script.Hash() + " " + args, Data: d, script: script}
}

// FindScript returns the workload of ScriptWorkloads of that name, in any case.
func FindScript(name string) (Workload, bool) { return find(ScriptWorkloads, name) }

// LoadScript makes the server at addr know the script that w sends by its digest, if it sends one.
func (w Workload) LoadScript(ctx context.Context, addr string) error {
	if w.script == nil {
		return nil
	}
	c, err := dialAdmin(ctx, addr)
	if err != nil {
		return err
	}
	defer c.Close()
	if err := w.script.Load(ctx, c.rdb).Err(); err != nil {
		return fmt.Errorf("load: SCRIPT LOAD for %s: %w", w.Name, err)
	}
	return nil
}

// document returns a JSON object of about so many bytes without spaces: an array of orders, as an API would answer, with
// strings, numbers with and without fractions, booleans, nulls and nested objects.
func document(size int) string {
	var b strings.Builder
	b.WriteString(`{"user":"ann@example.com","orders":[`)
	seed := rng(7)
	for i := 0; b.Len() < size-100; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"id":` + strconv.FormatUint(seed.below(1_000_000), 10) +
			`,"item":"` + string(valueBytes(&seed, 12)) +
			`","price":` + strconv.FormatUint(seed.below(1000), 10) + `.25,"paid":` + strconv.FormatBool(seed.below(2) == 0) +
			`,"note":null,"tags":["new","gift"],"to":{"city":"Oslo","zip":"0150"}}`)
	}
	b.WriteString(`]}`)
	return b.String()
}
