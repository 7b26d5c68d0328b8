package tlsconf

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // files are encrypted with it
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // the same
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
)

var (
	errNoKey    = errors.New("no private key in it")
	errNeedPass = errors.New("the key is encrypted, and tls-key-file-pass is not set")
	errPass     = errors.New("the key cannot be decrypted: the password is wrong, or the file is damaged")
)

// plainKey returns the PEM of a key without encryption. Keys of both of OpenSSL's formats are understood: the old one, whose
// headers say how the bytes are encrypted, and PKCS #8 with PBES2.
func plainKey(text []byte, pass string) ([]byte, error) {
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return nil, errNoKey
		}
		//nolint:staticcheck // the format is a weak one, but files in it exist, and nobody but its owner writes them
		old := x509.IsEncryptedPEMBlock(b)
		switch {
		case !old && b.Type != "ENCRYPTED PRIVATE KEY":
			if bytes.HasSuffix([]byte(b.Type), []byte("PRIVATE KEY")) {
				return text, nil
			}
			continue // parameters of a curve, or a certificate
		case pass == "":
			return nil, errNeedPass
		case old:
			der, err := x509.DecryptPEMBlock(b, []byte(pass)) //nolint:staticcheck // as above
			if err != nil {
				return nil, errPass
			}
			return pem.EncodeToMemory(&pem.Block{Type: b.Type, Bytes: der}), nil
		}
		der, err := decryptPKCS8(b.Bytes, pass)
		if err != nil {
			return nil, err
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
	}
}

// The structures of RFC 8018 and RFC 5958.
type encryptedKey struct {
	Algo pkix.AlgorithmIdentifier
	Data []byte
}

type pbes2Params struct{ KDF, Scheme pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLen     int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
)

var prfs = map[string]func() hash.Hash{
	"":                    sha1.New, // the default of the standard
	"1.2.840.113549.2.7":  sha1.New,
	"1.2.840.113549.2.8":  sha256.New224,
	"1.2.840.113549.2.9":  sha256.New,
	"1.2.840.113549.2.10": sha512.New384,
	"1.2.840.113549.2.11": sha512.New,
}

var schemes = map[string]struct {
	keyLen int
	make   func(key []byte) (cipher.Block, error)
}{
	"1.2.840.113549.3.7":      {24, des.NewTripleDESCipher},
	"2.16.840.1.101.3.4.1.2":  {16, aes.NewCipher},
	"2.16.840.1.101.3.4.1.22": {24, aes.NewCipher},
	"2.16.840.1.101.3.4.1.42": {32, aes.NewCipher},
}

// maxIterations bounds the work that a file can ask for.
const maxIterations = 5_000_000

// decryptPKCS8 returns the key in a PKCS #8 structure that is encrypted with PBES2.
func decryptPKCS8(der []byte, pass string) ([]byte, error) {
	unsupported := func(what string, oid asn1.ObjectIdentifier) error {
		return fmt.Errorf("the key is encrypted with an unsupported %s (%v); openssl pkcs8 -topk8 -v2 aes-256-cbc makes one that works", what, oid)
	}
	var k encryptedKey
	if rest, err := asn1.Unmarshal(der, &k); err != nil || len(rest) > 0 {
		return nil, errPass
	}
	if !k.Algo.Algorithm.Equal(oidPBES2) {
		return nil, unsupported("method", k.Algo.Algorithm)
	}
	var p pbes2Params
	if _, err := asn1.Unmarshal(k.Algo.Parameters.FullBytes, &p); err != nil {
		return nil, errPass
	}
	if !p.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, unsupported("derivation of its password", p.KDF.Algorithm)
	}
	var d pbkdf2Params
	if _, err := asn1.Unmarshal(p.KDF.Parameters.FullBytes, &d); err != nil || d.Iterations < 1 || d.Iterations > maxIterations {
		return nil, errPass
	}
	prf, ok := prfs[d.PRF.Algorithm.String()]
	if !ok {
		return nil, unsupported("hash", d.PRF.Algorithm)
	}
	scheme, ok := schemes[p.Scheme.Algorithm.String()]
	if !ok {
		return nil, unsupported("cipher", p.Scheme.Algorithm)
	}
	var iv []byte
	if _, err := asn1.Unmarshal(p.Scheme.Parameters.FullBytes, &iv); err != nil {
		return nil, errPass
	}
	secret, err := pbkdf2.Key(prf, pass, d.Salt, d.Iterations, scheme.keyLen)
	if err != nil {
		return nil, err
	}
	block, err := scheme.make(secret)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(iv) != size || len(k.Data) == 0 || len(k.Data)%size != 0 {
		return nil, errPass
	}
	out := make([]byte, len(k.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(out, k.Data)
	pad := int(out[len(out)-1])
	if pad == 0 || pad > size || !bytes.Equal(out[len(out)-pad:], bytes.Repeat([]byte{byte(pad)}, pad)) {
		return nil, errPass
	}
	out = out[:len(out)-pad]
	if _, err := x509.ParsePKCS8PrivateKey(out); err != nil {
		return nil, errPass
	}
	return out, nil
}
