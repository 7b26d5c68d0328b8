package tlsconf

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// versions reads tls-protocols. Go's versions are a range, so a list with a gap in it is refused rather than filled.
func versions(list string) (low, high uint16, err error) {
	if list == "" {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	all := []string{"tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"}
	var asked [4]bool
	for _, word := range strings.Fields(list) {
		i := slices.Index(all, strings.ToLower(word))
		if i < 0 {
			return 0, 0, errors.New("Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.") //nolint:staticcheck // Redis's words
		}
		asked[i] = true
	}
	first, last := slices.Index(asked[:], true), 3
	if first < 0 {
		return tls.VersionTLS12, tls.VersionTLS13, nil
	}
	for !asked[last] {
		last--
	}
	if slices.Contains(asked[first:last+1], false) {
		return 0, 0, fmt.Errorf("Invalid tls-protocols specified: '%s' leaves a version out in the middle, which is not possible", list) //nolint:staticcheck // as above
	}
	return tls.VersionTLS10 + uint16(first), tls.VersionTLS10 + uint16(last), nil
}

// suite is a cipher suite of TLS 1.2 and before.
type suite struct {
	id    uint16
	name  string // OpenSSL's
	marks string // groups that it belongs to, with spaces around them
}

// suites are in the order of Go's preference.
var suites = []suite{
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", " HIGH ECDHE AESGCM AES AES128 ECDSA AEAD "},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", " HIGH ECDHE AESGCM AES AES128 RSA AEAD "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", " HIGH ECDHE AESGCM AES AES256 ECDSA AEAD "},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", " HIGH ECDHE AESGCM AES AES256 RSA AEAD "},
	{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", " HIGH ECDHE CHACHA20 ECDSA AEAD "},
	{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", " HIGH ECDHE CHACHA20 RSA AEAD "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", " HIGH ECDHE AES AES128 ECDSA SHA SHA1 CBC "},
	{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", " HIGH ECDHE AES AES128 RSA SHA SHA1 CBC "},
	{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", " HIGH ECDHE AES AES256 ECDSA SHA SHA1 CBC "},
	{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", " HIGH ECDHE AES AES256 RSA SHA SHA1 CBC "},
	{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", " HIGH kRSA AESGCM AES AES128 RSA AEAD "},
	{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", " HIGH kRSA AESGCM AES AES256 RSA AEAD "},
	{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", " HIGH kRSA AES AES128 RSA SHA SHA1 CBC "},
	{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", " HIGH kRSA AES AES256 RSA SHA SHA1 CBC "},
}

// absent are words of OpenSSL for suites that crypto/tls does not have: to leave them out needs nothing.
var absent = strings.Fields("aNULL eNULL NULL LOW MEDIUM EXP EXPORT MD5 RC4 DES 3DES IDEA SEED CAMELLIA ARIA PSK SRP DSS ADH AECDH kDH kECDH aDH aECDH kDHE DHE DH SSLv2 SSLv3 COMPLEMENTOFDEFAULT COMPLEMENTOFALL")

// known tells that OpenSSL has suites of that name, or a group of them, and that crypto/tls has none; a list may name them among others.
func known(word string) bool {
	return slices.Contains(absent, word) || strings.HasPrefix(word, "DHE-") || strings.HasPrefix(word, "PSK-") ||
		strings.HasSuffix(word, "-SHA256") && strings.Contains(word, "AES") || strings.HasSuffix(word, "-SHA384") && strings.Contains(word, "AES") ||
		strings.Contains(word, "-CCM") || strings.Contains(word, "CAMELLIA") || strings.Contains(word, "ARIA")
}

// ciphers reads tls-ciphers, a list in OpenSSL's notation: names of suites, groups, and what to leave out behind '!' or '-'.
// nil is Go's choice. A word that is neither is an error, and so is a list that leaves nothing.
func ciphers(list string) ([]uint16, error) {
	if list == "" {
		return nil, nil
	}
	bad := fmt.Errorf("Failed to configure ciphers: %s", list) //nolint:staticcheck // Redis's words
	var chosen, banned []uint16
	byDefault := func(s suite) bool { return !strings.Contains(s.marks, " kRSA ") }
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		name := strings.TrimLeft(word, "!-+")
		if strings.HasPrefix(name, "@") {
			continue // the order is Go's own
		}
		var ids []uint16
		for _, s := range suites {
			all := true
			for _, part := range strings.Split(name, "+") {
				all = all && (part == s.name || part == tls.CipherSuiteName(s.id) || part == "ALL" || part == "COMPLEMENTOFALL" ||
					part == "DEFAULT" && byDefault(s) || (part == "EECDH" || part == "kECDHE" || part == "kEECDH") && strings.Contains(s.marks, " ECDHE ") ||
					(part == "aRSA" && strings.Contains(s.marks, " RSA ")) || (part == "aECDSA" && strings.Contains(s.marks, " ECDSA ")) ||
					strings.Contains(s.marks, " "+part+" "))
			}
			if all {
				ids = append(ids, s.id)
			}
		}
		switch {
		case len(ids) == 0 && !known(name):
			return nil, bad
		case word[0] == '!':
			banned = append(banned, ids...)
		case word[0] == '-':
			chosen = slices.DeleteFunc(chosen, func(id uint16) bool { return slices.Contains(ids, id) })
		case word[0] != '+':
			chosen = append(chosen, ids...)
		}
	}
	chosen = slices.DeleteFunc(chosen, func(id uint16) bool { return slices.Contains(banned, id) })
	slices.Sort(chosen)
	if chosen = slices.Compact(chosen); len(chosen) == 0 {
		return nil, bad
	}
	return chosen, nil
}

// suites13 reads tls-ciphersuites. Go has three suites of TLS 1.3 and offers all of them; a list that leaves some out yields a
// note.
func suites13(list string) (note string, err error) {
	if list == "" {
		return "", nil
	}
	all := []string{"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
	var asked []string
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return r == ':' || r == ',' || r == ' ' }) {
		switch {
		case slices.Contains(all, word):
			asked = append(asked, word)
		case word != "TLS_AES_128_CCM_SHA256" && word != "TLS_AES_128_CCM_8_SHA256":
			return "", fmt.Errorf("Failed to configure ciphersuites: %s", list) //nolint:staticcheck // Redis's words
		}
	}
	if len(asked) == 0 {
		return "", fmt.Errorf("Failed to configure ciphersuites: %s", list) //nolint:staticcheck // Redis's words
	}
	for _, s := range all {
		if !slices.Contains(asked, s) {
			return "The parameter 'tls-ciphersuites' cannot take suites of TLS 1.3 away: " + strings.Join(all, ", ") + " are all on offer", nil
		}
	}
	return "", nil
}
