package main

import (
	"os"
	"runtime"
	"strconv"
	"strings"
)

// machine is what a reader has to know of the computer that figures come from. What cannot be found out is empty.
type machine struct {
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores,omitempty"`
	Memory int64  `json:"memory_bytes,omitempty"`
	Kernel string `json:"kernel,omitempty"`
	System string `json:"system,omitempty"`
	Load   string `json:"load_average,omitempty"` // of the last 1, 5 and 15 minutes before the run
	Go     string `json:"go,omitempty"`           // that this program was compiled with
}

func thisMachine() machine {
	m := machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = fieldOf("/proc/cpuinfo", "model name", ":")
	m.Kernel = firstLine("/proc/sys/kernel/osrelease")
	m.System = strings.Trim(fieldOf("/etc/os-release", "PRETTY_NAME", "="), `"`)
	if f := strings.Fields(firstLine("/proc/loadavg")); len(f) >= 3 {
		m.Load = strings.Join(f[:3], " ")
	}
	if f := strings.Fields(fieldOf("/proc/meminfo", "MemTotal", ":")); len(f) == 2 && f[1] == "kB" {
		if kb, err := strconv.ParseInt(f[0], 10, 64); err == nil && kb < 1<<50 {
			m.Memory = kb << 10
		}
	}
	return m
}

// fieldOf returns the value of the first line "name separator value" of a file.
func fieldOf(file, name, separator string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(line, separator); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func firstLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSpace(line)
}

// commandLine is how args would be typed.
func commandLine(args []string) string {
	out := []string{"pulse-bench"}
	for _, a := range args {
		if a == "" || strings.ContainsAny(a, " \t\n\"'\\$&|;<>()*?`") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		out = append(out, a)
	}
	return strings.Join(out, " ")
}

// notes are the lines about where and how a report was made.
func (r *report) notes() [][2]string {
	m := r.Machine
	lines := [][2]string{{"date", r.Time.Format("2006-01-02 15:04 MST")}}
	for _, name := range []string{"A", "B"} {
		if v, ok := r.Servers[name]; ok {
			lines = append(lines, [2]string{"server " + name, v})
		}
	}
	memory := ""
	if m.Memory > 0 {
		memory = number(float64(m.Memory)/(1<<30)) + " GiB"
	}
	cores := m.Cores
	if cores == 0 {
		cores = r.CPUs
	}
	for _, l := range [][2]string{
		{"processor", m.CPU}, {"cores", strconv.Itoa(cores)}, {"memory", memory}, {"system", m.System}, {"kernel", m.Kernel},
		{"load average before", m.Load}, {"Go of the client", m.Go}, {"command", r.Command},
	} {
		if l[1] != "" {
			lines = append(lines, l)
		}
	}
	return lines
}
