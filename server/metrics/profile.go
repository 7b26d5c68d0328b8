package metrics

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The paths, parameters and formats are those of net/http/pprof, which is not used because importing it adds handlers to
// http.DefaultServeMux: a program that embeds a server and serves that mux would show its profiles to the world.

// maxProfile bounds the length of profiles and traces.
const maxProfile = 5 * time.Minute

func profiles(mux *http.ServeMux) {
	mux.HandleFunc("GET /debug/pprof/{$}", listProfiles)
	mux.HandleFunc("GET /debug/pprof/cmdline", func(w http.ResponseWriter, _ *http.Request) {
		plain(w)
		fmt.Fprint(w, strings.Join(os.Args, "\x00"))
	})
	mux.HandleFunc("GET /debug/pprof/profile", func(w http.ResponseWriter, r *http.Request) {
		record(w, r, 30*time.Second, "profile", func() error { return pprof.StartCPUProfile(w) }, pprof.StopCPUProfile)
	})
	mux.HandleFunc("GET /debug/pprof/trace", func(w http.ResponseWriter, r *http.Request) {
		record(w, r, time.Second, "trace", func() error { return trace.Start(w) }, trace.Stop)
	})
	mux.HandleFunc("GET /debug/pprof/{name}", namedProfile)
}

func plain(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
}

func listProfiles(w http.ResponseWriter, _ *http.Request) {
	plain(w)
	names := []string{"cmdline", "profile", "trace"}
	for _, p := range pprof.Profiles() {
		names = append(names, p.Name())
	}
	slices.Sort(names)
	fmt.Fprintln(w, strings.Join(names, "\n"))
}

// record has something recorded for as long as the parameter seconds says.
func record(w http.ResponseWriter, r *http.Request, usual time.Duration, what string, start func() error, stop func()) {
	d := usual
	if s := r.FormValue("seconds"); s != "" {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || !(f > 0 && f <= maxProfile.Seconds()) {
			http.Error(w, "seconds: a number above 0, at most "+strconv.Itoa(int(maxProfile.Seconds())), http.StatusBadRequest)
			return
		}
		d = time.Duration(f * float64(time.Second))
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="`+what+`"`)
	if err := start(); err != nil { // another is being recorded
		w.Header().Del("Content-Disposition")
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer stop()
	wait(r.Context(), d)
}

func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func namedProfile(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p := pprof.Lookup(name)
	if p == nil {
		http.Error(w, "there is no profile "+strconv.Quote(name), http.StatusNotFound)
		return
	}
	if name == "heap" && r.FormValue("gc") != "" && r.FormValue("gc") != "0" {
		runtime.GC()
	}
	debug, _ := strconv.Atoi(r.FormValue("debug"))
	if debug != 0 {
		plain(w)
	} else {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	}
	_ = p.WriteTo(w, debug) // the client may go meanwhile
}
