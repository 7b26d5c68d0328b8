package shortener

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"

	"github.com/redis/go-redis/v9"
)

const (
	alphabet  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base      = uint64(len(alphabet))
	maxLength = 10 // 62^10 < 2^60

	minSecret = 16
	rounds    = 8
)

// space returns how many codes of that length there are.
func space(length int) (uint64, error) {
	if length < 1 || length > maxLength {
		return 0, fmt.Errorf("shortener: codes have 1 to %d characters", maxLength)
	}
	n := uint64(1)
	for range length {
		n *= base
	}
	return n, nil
}

// encode writes n, which is below 62^length, with that many digits.
func encode(n uint64, length int) string {
	b := make([]byte, length)
	for i := length - 1; i >= 0; i-- {
		b[i] = alphabet[n%base]
		n /= base
	}
	return string(b)
}

// permutation maps the numbers below n onto themselves: a Feistel network over the next even number of bits, walked until
// it comes out below n again. That many bits are less than four times n, so four steps are enough on average.
type permutation struct {
	n      uint64
	half   int // bits of each side
	secret []byte
}

func newPermutation(n uint64, secret []byte) permutation {
	return permutation{n: n, half: max(1, (bits.Len64(n-1)+1)/2), secret: append([]byte(nil), secret...)}
}

func (p permutation) apply(x uint64) uint64 {
	for {
		if x = p.network(x); x < p.n {
			return x
		}
	}
}

func (p permutation) network(x uint64) uint64 {
	mask := uint64(1)<<p.half - 1
	left, right := x>>p.half, x&mask
	for round := range rounds {
		var in [9]byte
		in[0] = byte(round)
		binary.BigEndian.PutUint64(in[1:], right)
		h := hmac.New(sha256.New, p.secret)
		h.Write(in[:])
		left, right = right, left^binary.BigEndian.Uint64(h.Sum(nil))&mask
	}
	return left<<p.half | right
}

// sequential counts in the server.
type sequential struct {
	rdb    redis.UniversalClient
	key    string
	length int
	perm   permutation
}

// NewSequential returns a source that counts at key and hides the order behind secret, 16 bytes or more, which all processes share
// and which never changes. Its codes have that many characters, 1 to 10; when all have been given out it answers ErrFull.
func NewSequential(rdb redis.UniversalClient, key string, length int, secret []byte) (Source, error) {
	n, err := space(length)
	if err != nil {
		return nil, err
	}
	if len(secret) < minSecret {
		return nil, fmt.Errorf("shortener: a secret has at least %d bytes", minSecret)
	}
	return &sequential{rdb: rdb, key: key, length: length, perm: newPermutation(n, secret)}, nil
}

func (s *sequential) Next(ctx context.Context) (string, error) {
	n, err := s.rdb.Incr(ctx, s.key).Result()
	if err != nil {
		return "", err
	}
	if n < 1 || uint64(n) > s.perm.n {
		return "", ErrFull
	}
	return encode(s.perm.apply(uint64(n)-1), s.length), nil
}

// random draws.
type random struct {
	from   io.Reader
	length int
	n      uint64
	limit  uint64 // draws from here on would prefer some codes
}

// NewRandom returns a source that draws codes of that many characters, 1 to 10, from crypto/rand, or from another reader, which must
// be safe for concurrent use, if it is not nil.
func NewRandom(length int, from io.Reader) (Source, error) {
	n, err := space(length)
	if err != nil {
		return nil, err
	}
	if from == nil {
		from = rand.Reader
	}
	return &random{from: from, length: length, n: n, limit: 1<<63 - 1<<63%n}, nil
}

func (r *random) Next(context.Context) (string, error) {
	for {
		var b [8]byte
		if _, err := io.ReadFull(r.from, b[:]); err != nil {
			return "", errors.Join(errors.New("no randomness"), err)
		}
		if x := binary.BigEndian.Uint64(b[:]) >> 1; x < r.limit {
			return encode(x%r.n, r.length), nil
		}
	}
}
