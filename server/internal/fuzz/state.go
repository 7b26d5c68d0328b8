package fuzz

import (
	"slices"
	"strconv"
	"strings"
)

// checkState compares all that is in the two servers. What has been queued is dropped before.
func (r *runner) checkState() *mismatch {
	discard := plain("DISCARD")
	if d, _ := r.exchange(0, []*request{&discard}); d != nil {
		return d
	}
	for db := range 16 {
		select_ := plain("SELECT", strconv.Itoa(db))
		// The oracle counts keys that have expired, for a while: its count is not asked for.
		size := request{args: []string{"DBSIZE"}, rule: ruleType}
		all := request{args: []string{"KEYS", "*"}, rule: ruleUnordered}
		if d, _ := r.exchange(0, []*request{&select_, &size}); d != nil {
			return d
		}
		count := r.sessions[0].before.ours
		if d, _ := r.exchange(0, []*request{&all}); d != nil {
			return d
		}
		if keys := r.sessions[0].before.oracle; decode(count).Int != int64(len(decode(keys).Elems)) {
			return &mismatch{request: size, pair: pair{keys, count}}
		}
		if d := r.checkKeys(); d != nil {
			return d
		}
	}
	return nil
}

// checkKeys compares the keys of the selected database, which the last reply lists.
func (r *runner) checkKeys() *mismatch {
	names := leaves(decode(r.sessions[0].before.oracle))
	slices.Sort(names)
	if len(names) == 0 {
		return nil
	}
	var kinds []*request
	for _, n := range names {
		kinds = append(kinds, &request{args: []string{"TYPE", n}})
	}
	types := make([]string, len(names))
	for i := range kinds {
		if d, _ := r.exchange(0, kinds[i:i+1]); d != nil {
			return d
		}
		types[i] = strings.TrimSpace(strings.TrimPrefix(string(r.sessions[0].before.oracle), "+"))
	}
	var reads []*request
	add := func(u rule, args ...string) { reads = append(reads, &request{args: args, rule: u}) }
	for i, n := range names {
		add(ruleMillis, "PEXPIRETIME", n)
		if spec := r.o.Table.Lookup([]byte("object")); spec != nil {
			add(ruleExact, "OBJECT", "ENCODING", n)
		}
		switch types[i] {
		case "string":
			add(ruleExact, "GET", n)
		case "list":
			add(ruleExact, "LRANGE", n, "0", "-1")
			add(ruleExact, "LLEN", n)
		case "hash":
			add(rulePairs, "HGETALL", n)
			add(ruleExact, "HLEN", n)
		case "set":
			add(ruleUnordered, "SMEMBERS", n)
			add(ruleExact, "SCARD", n)
		case "zset":
			add(ruleFloats, "ZRANGE", n, "0", "-1", "WITHSCORES")
			add(ruleExact, "ZCARD", n)
		case "stream":
			streamState(add, n)
		}
	}
	d, _ := r.exchange(0, reads)
	return d
}
