package miniredis

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/streampulse/pulse/server/pulsetest/miniredis/server"
)

// slots is the number of hash slots of a cluster.
const slots = 16384

// cluster answers CLUSTER as the only node of a cluster does, so that clients for clusters work. It is for them alone: the engine is no
// cluster, and keys of different slots may stand in one command.
func (m *Miniredis) cluster(p *server.Peer, cmd string, args []string) {
	if len(args) == 0 {
		p.WriteError("ERR wrong number of arguments for 'cluster' command")
		return
	}
	host, port := m.node()
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	sum := sha1.Sum([]byte(addr))
	id := hex.EncodeToString(sum[:])
	p.Block(func(w *server.Writer) {
		switch strings.ToUpper(args[0]) {
		case "SLOTS":
			w.WriteLen(1)
			w.WriteLen(3)
			w.WriteInt(0)
			w.WriteInt(slots - 1)
			w.WriteLen(3)
			w.WriteBulk(host)
			w.WriteInt(port)
			w.WriteBulk(id)
		case "SHARDS":
			w.WriteLen(1)
			w.WriteMapLen(2)
			w.WriteBulk("slots")
			w.WriteLen(2)
			w.WriteInt(0)
			w.WriteInt(slots - 1)
			w.WriteBulk("nodes")
			w.WriteLen(1)
			w.WriteMapLen(6)
			bulks(w, "id", id, "ip", host)
			w.WriteBulk("port")
			w.WriteInt(port)
			bulks(w, "role", "master")
			w.WriteBulk("replication-offset")
			w.WriteInt(0)
			bulks(w, "health", "online")
		case "NODES":
			w.WriteBulk(fmt.Sprintf("%s %s@%d myself,master - 0 0 1 connected 0-%d\n", id, addr, port, slots-1))
		case "MYID":
			w.WriteBulk(id)
		case "KEYSLOT":
			if len(args) != 2 {
				w.WriteError("ERR wrong number of arguments for 'cluster|keyslot' command")
				return
			}
			w.WriteInt(slotOf(args[1]))
		default:
			w.WriteError("ERR This instance has cluster support disabled")
		}
	})
}

func bulks(w *server.Writer, list ...string) {
	for _, s := range list {
		w.WriteBulk(s)
	}
}

// node is where clients find the server.
func (m *Miniredis) node() (host string, port int) {
	host = m.Host()
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	port, _ = strconv.Atoi(m.Port())
	return host, port
}

// slotOf is the slot of a key: CRC16 (the polynomial 0x1021, as XMODEM has it) of what stands in the first braces, or of all of it.
func slotOf(key string) int {
	if _, rest, ok := strings.Cut(key, "{"); ok {
		if tag, _, ok := strings.Cut(rest, "}"); ok && tag != "" {
			key = tag
		}
	}
	crc := uint16(0)
	for _, b := range []byte(key) {
		crc ^= uint16(b) << 8
		for range 8 {
			top := crc & 0x8000
			crc <<= 1
			if top != 0 {
				crc ^= 0x1021
			}
		}
	}
	return int(crc % slots)
}
