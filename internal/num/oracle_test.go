package num

import (
	"bufio"
	"fmt"
	"io"
	"math/rand"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/streampulse/pulse/internal/oracle"
)

// dialRedis starts a real server for the duration of the test and returns a connection to it.
func dialRedis(t *testing.T) net.Conn {
	conn, err := oracle.Start(t).Dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(30 * time.Second))
	return conn
}

// ask sends the commands as one pipeline and returns one line or bulk a reply.
func ask(t *testing.T, conn net.Conn, commands [][]string) []string {
	t.Helper()
	go func() {
		w := bufio.NewWriter(conn)
		for _, args := range commands {
			fmt.Fprintf(w, "*%d\r\n", len(args))
			for _, a := range args {
				fmt.Fprintf(w, "$%d\r\n%s\r\n", len(a), a)
			}
		}
		w.Flush()
	}()
	r := bufio.NewReader(conn)
	replies := make([]string, 0, len(commands))
	for range commands {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		line = strings.TrimSuffix(line, "\r\n")
		if n, err := strconv.Atoi(line[1:]); line[0] == '$' && err == nil && n >= 0 {
			bulk := make([]byte, n+2)
			if _, err := io.ReadFull(r, bulk); err != nil {
				t.Fatal(err)
			}
			line = string(bulk[:n])
		}
		replies = append(replies, line)
	}
	return replies
}

var oddNumbers = append([]string{
	"0", "-0", "+1", "1", "007", "5.", ".5", "1e10", "1E-5", "0x10", "0x1p3", "0x1.8", "-0x.8p1", "inf", "-inf", "+INFINITY", "infinity", "1e400",
	"-1e400", "1e-400", "1e308", "1.8e308", "4.9e-324", "2e-324", "1e4932", "1.1e4932", "1.2e4932", "1e4933", "1e-4950", "1e-4951", "1e-4952", "0e99999",
	"1e99999999999999999999", "0x1p16383", "0x1p16384", "0x1p-16445", "0x1p-16446", "0x1p-16447", "9223372036854775807", "-9223372036854775808",
	"18446744073709551615", "18446744073709551616", "0.000003814697265625", "0.000011444091796875", "3.00000000000000000001",
	"0.1", "0.00000000000000001", "0.000000000000000005", "-0.000000000000000005", "63.99999999999999999", "123456789.123456789", "1e17",
	strings.Repeat("1", 400), strings.Repeat("9", 4900), "0." + strings.Repeat("0", 400) + "1",
}, badFloats...)

func TestOracleAddFloatText(t *testing.T) {
	conn := dialRedis(t)
	var pairs [][2]string
	for _, a := range oddNumbers {
		for _, b := range []string{"0", "1", "0.1", "-1e-30", "-0.000003814697265625"} {
			pairs = append(pairs, [2]string{a, b}, [2]string{b, a})
		}
	}
	rnd := rand.New(rand.NewSource(4))
	for range 6000 {
		pairs = append(pairs, [2]string{string(randomLong(rnd)), string(randomLong(rnd))})
	}
	var commands [][]string
	for _, p := range pairs {
		commands = append(commands, []string{"SET", "k", p[0]}, []string{"INCRBYFLOAT", "k", p[1]})
	}
	replies := ask(t, conn, commands)
	for i, p := range pairs {
		got, status := AddFloatText([]byte(p[0]), []byte(p[1]))
		text := string(got)
		switch status {
		case FloatBadFirst, FloatBadSecond:
			text = "-ERR value is not a valid float"
		case FloatNotFinite:
			text = "-ERR increment would produce NaN or Infinity"
		}
		if want := replies[2*i+1]; text != want {
			t.Errorf("%.60q + %.60q = %.100q, Redis says %.100q", p[0], p[1], text, want)
		}
	}
}

// randomLong mixes decimals around the fast path with other magnitudes and notations.
func randomLong(rnd *rand.Rand) []byte {
	switch rnd.Intn(4) {
	case 0:
		return strconv.AppendFloat(nil, randomFloat(rnd), 'g', -1, 64)
	case 1:
		return strconv.AppendFloat(nil, randomFloat(rnd), 'x', -1, 64)
	}
	return randomDecimal(rnd)
}

func TestOracleParseFloat(t *testing.T) {
	conn := dialRedis(t)
	var commands [][]string
	for _, s := range oddNumbers {
		commands = append(commands, []string{"DEL", "k"}, []string{"ZADD", "k", s, "m"}, []string{"ZSCORE", "k", "m"})
	}
	replies := ask(t, conn, commands)
	for i, s := range oddNumbers {
		f, ok := ParseFloat([]byte(s))
		if accepted := replies[3*i+1] == ":1"; ok != accepted {
			t.Errorf("ParseFloat(%.60q) = %v, %v; Redis replies %q", s, f, ok, replies[3*i+1])
			continue
		}
		if !ok {
			continue
		}
		if want, err := strconv.ParseFloat(replies[3*i+2], 64); err != nil || f != want {
			t.Errorf("ParseFloat(%.60q) = %v, Redis has %q", s, f, replies[3*i+2])
		}
	}
}

func TestOracleParseInt(t *testing.T) {
	conn := dialRedis(t)
	texts := append([]string{"00", "01", "-01", "-", "9223372036854775808", "-9223372036854775809"}, oddNumbers...)
	var commands [][]string
	for _, s := range texts {
		commands = append(commands, []string{"DEL", "k"}, []string{"INCRBY", "k", s})
	}
	replies := ask(t, conn, commands)
	for i, s := range texts {
		want := "-ERR value is not an integer or out of range"
		if v, ok := ParseInt([]byte(s)); ok {
			want = ":" + strconv.FormatInt(v, 10)
		}
		if replies[2*i+1] != want {
			t.Errorf("%q: %q, Redis replies %q", s, want, replies[2*i+1])
		}
	}
}
