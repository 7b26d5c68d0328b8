package config

import (
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
)

// checkFileName refuses paths where a bare name is meant, and empty names unless those are allowed.
func checkFileName(param, what string, emptyOK bool) func(string) error {
	errPath := errors.New(param + " can't be a path, just a " + what)
	errEmpty := errors.New(param + " can't be empty")
	return func(s string) error {
		switch {
		case s == "" && !emptyOK:
			return errEmpty
		case s == "." || s == ".." || strings.Contains(s, "/"):
			return errPath
		}
		return nil
	}
}

// titleVariables may stand in braces in proc-title-template.
var titleVariables = []string{"title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"}

var errTemplate = errors.New("template format is invalid or contains unknown variables")

// checkTitleTemplate wants every {name} closed and known, and the whole not blank where there is no title.
func checkTitleTemplate(s string) error {
	if strings.TrimSpace(strings.ReplaceAll(s, "{title}", "")) == "" {
		return errTemplate
	}
	for {
		_, rest, open := strings.Cut(s, "{")
		if !open {
			return nil
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed || !slices.Contains(titleVariables, name) {
			return errTemplate
		}
		s = after
	}
}

func checkHostname(s string) error {
	if len(s) >= 256 {
		return errors.New("Hostnames must be less than 256 characters")
	}
	for _, c := range []byte(s) {
		if !isAlnum(c) && c != '-' && c != '.' {
			return errors.New("Hostnames may only contain alphanumeric characters, hyphens or dots")
		}
	}
	return nil
}

// checkNodename refuses what would break a line of the cluster's node table.
func checkNodename(s string) error {
	if strings.ContainsAny(s, "\x00!#$%&()*+:;<>?@[]^{|}~") {
		return errors.New("Announced human node name contained invalid character")
	}
	return nil
}

func checkActiveDefrag(s string) error {
	if s == "yes" {
		return errors.New("Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified " +
			"Jemalloc like the one shipped by default with the Redis source distribution")
	}
	return nil
}

func checkShutdown(s string) error {
	words := strings.Fields(s)
	if slices.Contains(words, "save") && slices.Contains(words, "nosave") {
		return errors.New("shutdown options SAVE and NOSAVE can't be used simultaneously")
	}
	return nil
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

var errAddr = errors.New("an address is host:port")

// checkAddr wants a host, which may be empty or in brackets, and a port.
func checkAddr(s string) error {
	if s == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		return errAddr
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errAddr
	}
	return nil
}
