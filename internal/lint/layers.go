package lint

import (
	"slices"
	"strings"
)

// A layer is a part of the tree. Imports point from a layer to those below it:
//
//	cmd, bench     server/pulsetest
//	   |              |
//	   +--------------+
//	   |
//	server, server/*  ---> persistence, persistence/*
//	   |                      |
//	commands                  |
//	   |                      |
//	store  <------------------+
//	   |
//	value types, store/codec
//	   |
//	encodings and pure functions
//	   |
//	internal/*
type layer struct {
	name  string
	below []string // layers that it may import, its own included where it has packages that build on each other
	why   string   // the reason that a broken rule is reported with
}

// The names of the layers.
const (
	programs    = "cmd"
	aids        = "testing aid"
	benchmarks  = "bench"
	serving     = "server"
	language    = "commands"
	durability  = "persistence"
	keyspace    = "store"
	values      = "value types"
	encodings   = "encodings"
	foundations = "internal"
)

var layers = []layer{
	{programs, []string{benchmarks, serving, language, durability, keyspace, values, encodings, foundations},
		"a program puts packages together and is imported by none; parts of its own are below its internal folder"},
	{aids, []string{aids, serving, language, durability, keyspace, values, encodings, foundations},
		"a testing aid embeds the server as other tests do; it is never part of a server that ships"},
	{benchmarks, []string{benchmarks, serving, foundations},
		"a benchmark sees the server as its users do: through a client, or embedded"},
	{serving, []string{serving, language, durability, keyspace, values, encodings, foundations},
		"the server is used by programs, it does not know them"},
	{language, []string{keyspace, values, encodings, foundations},
		"commands declare the interfaces that they need (env.go) and the server implements them; so a command can run without sockets and files"},
	{durability, []string{durability, keyspace, values, encodings, foundations},
		"persistence replays through a function and knows no commands, so that it can be tested with a disk that fails and nothing else"},
	{keyspace, []string{values, encodings, foundations},
		"the store knows no RESP, no sockets and no command names; what it has to tell, it tells through functions that it is given"},
	{values, []string{values, encodings, foundations},
		"a value type knows neither the keyspace that it lies in nor the commands that use it"},
	{encodings, []string{encodings, foundations},
		"an encoding is bytes and structure alone, which is why it can be fuzzed by itself"},
	{foundations, []string{foundations},
		"what everything stands on can stand on nothing else of the project"},
}

// valueTypes are the packages of the store that know what a value means; all others there are encodings or pure functions.
var valueTypes = []string{"str", "list", "hash", "set", "zset", "stream", "codec"}

// testingAid is the folder of what tests of other programs use.
const testingAid = "server/pulsetest"

// layerOf names the layer of a package, by its path from the root of the module; "" where there is none.
func layerOf(pkg string) string {
	first, rest, _ := strings.Cut(pkg, "/")
	switch {
	case pkg == testingAid || strings.HasPrefix(pkg, testingAid+"/"):
		return aids
	case first == "store" && rest == "":
		return keyspace
	case first == "store":
		kind, _, _ := strings.Cut(rest, "/")
		if slices.Contains(valueTypes, kind) {
			return values
		}
		return encodings
	case slices.ContainsFunc(layers, func(l layer) bool { return l.name == first }):
		return first
	}
	return ""
}

// forbidden is the reason why one package of the project must not import another, or "".
func forbidden(from, to string) string {
	i := slices.IndexFunc(layers, func(l layer) bool { return l.name == layerOf(from) })
	if i < 0 {
		return "the folder belongs to no layer: give it a place in internal/lint/layers.go"
	}
	if testOnly[to] && !mayTest(from) {
		return "that package is for tests and measuring programs; a server that ships must not contain it"
	}
	l := layers[i]
	switch target := layerOf(to); {
	case target == programs && ownPart(from, to):
		return ""
	case target == "":
		return "the folder imported belongs to no layer: give it a place in internal/lint/layers.go"
	case !slices.Contains(l.below, target):
		return l.why
	case l.name == language && to != from && target == language:
		return "commands is one flat package"
	case l.name == serving && from != "server" && to == "server":
		return "a service is used by the server and does not know it"
	}
	return ""
}

// ownPart reports whether to is a part of the program that from is or belongs to: below cmd/<program>/internal.
func ownPart(from, to string) bool {
	program, _, _ := strings.Cut(strings.TrimPrefix(from, programs+"/"), "/")
	return strings.HasPrefix(to, programs+"/"+program+"/internal/")
}

// testOnly are packages that exist for tests.
var testOnly = map[string]bool{
	"internal/oracle":      true,
	"internal/oracle/diff": true,
	"internal/script":      true,
	"internal/lint":        true,
	"server/internal/fuzz": true,
}

// mayTest reports whether the package is itself for tests and measuring.
func mayTest(pkg string) bool {
	return testOnly[pkg] || layerOf(pkg) == benchmarks || layerOf(pkg) == aids || pkg == "cmd/pulse-bench"
}

// homes says which folders may import a module from outside; tests may import all of them.
var homes = map[string][]string{
	"github.com/panjf2000/gnet":         {"server"},
	"github.com/tidwall/redcon":         {"internal/resp"},
	"github.com/redis/go-redis":         {"bench", "cmd/pulse-bench", "cmd/streampulse"},
	"github.com/google/btree":           {"store"},
	"github.com/anishathalye/porcupine": {},
	"gocloud.dev":                       {"cmd/streampulse"},
	"golang.org/x/image":                {"cmd/streampulse"},
	"golang.org/x/sys":                  {"server", "persistence", "internal", "cmd", "store", "bench"},
}

// foreign is the reason why a package must not import one from outside of the project, or "".
func foreign(from, name string) string {
	if from == "internal/deps" {
		return "" // its purpose is to import what nobody else does yet
	}
	if name == "testing" || strings.HasPrefix(name, "testing/") {
		if mayTest(from) || strings.HasPrefix(from, "bench/") || strings.HasPrefix(from, "internal/") {
			return ""
		}
		return "a server that ships has no tests in it"
	}
	for module, folders := range homes {
		if name != module && !strings.HasPrefix(name, module+"/") {
			continue
		}
		for _, folder := range folders {
			if from == folder || strings.HasPrefix(from, folder+"/") {
				return ""
			}
		}
		return "that module is kept in one place (" + strings.Join(append(folders, "tests"), ", ") + "), so that it can be replaced there; see homes in internal/lint/layers.go"
	}
	if first, _, _ := strings.Cut(name, "/"); layerOf(from) == encodings && strings.Contains(first, ".") {
		return "an encoding needs nothing but the standard library"
	}
	return ""
}
