package commands

import (
	"math"
	"strings"
)

// lolwut draws where a version of Redis drew something: a heartbeat. What follows VERSION n are whole numbers, of which the
// first is the width.
func lolwut(c *Call) error {
	version, width := int64(0), int64(beatWidth)
	if a := c.From(1); a.IsWith("VERSION", 1) {
		version = a.Int()
		for i := 0; a.More(); i++ {
			if n := a.Int(); i == 0 {
				width = n
			}
		}
		if a.Err() != nil {
			return a.Err()
		}
	}
	text := ""
	if version == 5 || version == 6 {
		text = heartbeat(int(min(max(width, 1), 1000))) + "\nThe pulse of a server, drawn by Pulse " + c.Env.Version() + ". "
	}
	c.Verbatim("txt", text+"Redis ver. "+RedisVersion+"\n")
	return nil
}

const (
	beatWidth  = 66
	beatHeight = 9
	beatPeriod = 22
)

// heartbeat is a trace of an electrocardiograph, width columns of it.
func heartbeat(width int) string {
	// Each wave of a beat: where its middle is, how wide and how high it is.
	waves := [...]struct{ at, width, height float64 }{{4, 1.2, 1.2}, {8.2, 0.5, -1.2}, {9.6, 0.6, 7}, {11, 0.5, -2.2}, {16, 1.6, 1.8}}
	var rows [beatHeight][]byte
	for i := range rows {
		rows[i] = []byte(strings.Repeat(" ", width))
	}
	for x := range width {
		y := 0.0
		for _, w := range waves {
			d := (float64(x%beatPeriod) - w.at) / w.width
			y += w.height * math.Exp(-d*d/2)
		}
		row := min(max(beatHeight-3-int(math.Round(y)), 0), beatHeight-1)
		mark := byte('-')
		switch {
		case y > 2:
			mark = '#'
		case y > 0.5:
			mark = '^'
		case y < -0.5:
			mark = 'v'
		}
		rows[row][x] = mark
	}
	var b strings.Builder
	for _, r := range rows {
		b.WriteString(strings.TrimRight(string(r), " ") + "\n")
	}
	return b.String()
}
