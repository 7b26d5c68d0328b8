package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// scorePath is where the kernel keeps how soon it ends this process when memory runs out.
const scorePath = "/proc/self/oom_score_adj"

const (
	minScore = -1000
	maxScore = 1000
	// neededFiles is what 10000 clients and the rest take.
	neededFiles = 10_032
)

var errScore = errors.New("Failed to set current oom_score_adj. Check server logs.") //nolint:staticcheck // Redis's words

// adjustOOM has oom-score-adj and oom-score-adj-values do what they say, now and when they change.
func (p *instance) adjustOOM() error {
	base := 0         // what the score was, which others may have set, before adjusted
	adjusted := false // the score is the server's
	apply := func() error {
		mode := p.cfg.Enum("oom-score-adj").Load()
		if !adjusted {
			text, err := os.ReadFile(scorePath)
			if mode == "no" || err != nil {
				return nil // or there is no such service
			}
			base, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		score := base
		if mode != "no" {
			// The first value is that of a server that is nobody's replica.
			value, _ := strconv.Atoi(strings.Fields(p.cfg.Text("oom-score-adj-values"))[0])
			if score = value; mode != "absolute" {
				score += base
			}
		}
		score = min(max(score, minScore), maxScore)
		if err := os.WriteFile(scorePath, strconv.AppendInt(nil, int64(score), 10), 0); err != nil {
			p.log.Warningf("Unable to write oom_score_adj: %v", err)
			return errScore
		}
		adjusted = mode != "no"
		return nil
	}
	for _, name := range []string{"oom-score-adj", "oom-score-adj-values"} {
		p.cfg.OnApply(name, apply)
	}
	return apply()
}

// checkSystem is --check-system: what of the system matters to this program, which needs neither overcommitted memory nor
// small pages, because it never forks.
func checkSystem(out io.Writer) int {
	code := 0
	report := func(name, warning string) {
		if warning == "" {
			fmt.Fprintf(out, "[%s]...OK\n", name)
			return
		}
		code = 1
		fmt.Fprintf(out, "[%s]...WARNING:\n%s\n\n", name, warning)
	}
	var files syscall.Rlimit
	warning := ""
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files) == nil && files.Max < neededFiles {
		warning = fmt.Sprintf("The process may have %d open files; 10000 clients, the default of maxclients, need %d. Raise it with 'ulimit -n' or LimitNOFILE=.", files.Max, neededFiles)
	}
	report("open-files", warning)
	warning = ""
	if text, err := os.ReadFile("/proc/sys/net/core/somaxconn"); err == nil {
		if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && n < 511 {
			warning = fmt.Sprintf("The TCP backlog setting of 511 cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of %d.", n)
		}
	}
	report("somaxconn", warning)
	return code
}
