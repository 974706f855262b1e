package adcs_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/adcskit/adcskit/adcs"
)

func TestAnswerIssued(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t))
	for name, chain := range map[string][]byte{
		"leaf first":           cms(t, oidData, nil, 0, leaf.Raw, p.ca.Raw, p.root.Raw),
		"leaf last":            cms(t, oidData, nil, 0, p.ca.Raw, p.root.Raw, leaf.Raw),
		"doubles":              cms(t, oidData, nil, 0, p.ca.Raw, leaf.Raw, p.root.Raw, leaf.Raw, p.ca.Raw),
		"an unreadable one":    cms(t, oidData, nil, 0, []byte{0x30, 1, 0}, p.ca.Raw, p.root.Raw, leaf.Raw),
		"an attribute cert":    cms(t, oidData, nil, 0, []byte{0xa1, 0}, p.ca.Raw, p.root.Raw, leaf.Raw),
		"a CMC full response":  cms(t, oidPKIResponse, cmcBody(t, 0, leaf.Raw), 1, p.ca.Raw, leaf.Raw, p.root.Raw),
		"a CMC without a hash": cms(t, oidPKIResponse, cmcWithoutHash(t), 1, p.ca.Raw, leaf.Raw, p.root.Raw),
		"the CAs only":         cms(t, oidData, nil, 0, p.ca.Raw, p.root.Raw),
	} {
		t.Run(name, func(t *testing.T) {
			result, err := adcs.ParseAnswer(adcs.Answer{
				RequestID: 7, Disposition: 3, Chain: chain, Leaf: leaf.Raw, Message: toUTF16("Issued\x00"),
			}, 0)
			require.NoError(t, err)
			assert.Equal(t, adcs.Issued, result.Disposition)
			assert.Equal(t, uint32(7), result.RequestID)
			assert.Equal(t, "Issued", result.Message)
			assert.Equal(t, leaf.Raw, result.Certificate.Raw)
			require.Len(t, result.Chain, 2)
			assert.True(t, slices.ContainsFunc(result.Chain, p.ca.Equal))
			assert.True(t, slices.ContainsFunc(result.Chain, p.root.Equal))
		})
	}
	t.Run("without a chain", func(t *testing.T) {
		for name, chain := range map[string][]byte{
			"nothing":              nil,
			"no certificates":      cms(t, oidData, nil, 0),
			"the certificate only": cms(t, oidData, nil, 0, leaf.Raw),
			"the bare certificate": leaf.Raw,
		} {
			result, err := adcs.ParseAnswer(adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: chain}, 7)
			require.NoError(t, err, name)
			assert.Empty(t, result.Chain, name)
		}
	})
	t.Run("out of band with a certificate", func(t *testing.T) {
		result, err := adcs.ParseAnswer(adcs.Answer{RequestID: 7, Disposition: 4, Leaf: leaf.Raw}, 7)
		require.NoError(t, err)
		assert.Equal(t, adcs.IssuedOutOfBand, result.Disposition)
	})
}

func cmcWithoutHash(t testing.TB) []byte {
	// A status only: SEQUENCE { SEQUENCE { control }, SEQUENCE {}, SEQUENCE {} }.
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes([]byte{0x30, 0x18, 0x30, 0x16, 2, 1, 1, 6, 8, 0x2b, 6, 1, 5, 5, 7, 7, 1, 0x31, 7, 0x30, 5, 2, 1, 0, 0x30, 0})
		b.AddBytes([]byte{0x30, 0, 0x30, 0})
	})
	der, err := b.Bytes()
	require.NoError(t, err)
	return der
}

func TestAnswerPending(t *testing.T) {
	// What a CA sends beside a pending disposition is not looked at: it may be a CMC response or a precertificate.
	result, err := adcs.ParseAnswer(adcs.Answer{
		RequestID: 8, Disposition: 5, Chain: []byte("x"), Leaf: []byte("y"), Message: toUTF16("Taken Under Submission\x00"),
	}, 0)
	require.NoError(t, err)
	assert.Equal(t, &adcs.Result{
		Disposition: adcs.Pending, RequestID: 8, Message: "Taken Under Submission",
	}, result)
}

func TestAnswerRefused(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer adcs.Answer
		asked  uint32
		want   adcs.RequestError
		is     error
	}{
		{"denied by a HRESULT as disposition", adcs.Answer{RequestID: 9, Disposition: 0x80094800}, 0,
			adcs.RequestError{RequestID: 9, Disposition: 0x80094800, Code: adcs.ErrUnsupportedCertType},
			adcs.ErrUnsupportedCertType},
		{"denied", adcs.Answer{RequestID: 9, Disposition: 2, Message: toUTF16("No.\x00")}, 0,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Denied, Message: "No."}, nil},
		{"failed", adcs.Answer{RequestID: 9, Disposition: 1}, 0,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Failed}, nil},
		{"incomplete, without a request", adcs.Answer{}, 0, adcs.RequestError{}, nil},
		{"revoked", adcs.Answer{RequestID: 9, Disposition: 6}, 9,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Revoked}, nil},
		{"by return value", adcs.Answer{Returned: 0x80070057}, 0,
			adcs.RequestError{Code: adcs.ErrInvalidArg}, adcs.ErrInvalidArg},
		{"the return value comes before the disposition", adcs.Answer{Returned: 0x80070057, RequestID: 9, Disposition: 3}, 9,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Issued, Code: adcs.ErrInvalidArg}, adcs.ErrInvalidArg},
		{"denied, retrieved", adcs.Answer{Returned: 0x80094014, RequestID: 9, Disposition: 2}, 9,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Denied, Code: adcs.ErrAdminDeniedRequest},
			adcs.ErrAdminDeniedRequest},
		{"denied, retrieved, by a CA that returns nothing", adcs.Answer{RequestID: 9, Disposition: 2}, 9,
			adcs.RequestError{RequestID: 9, Disposition: adcs.Denied}, nil},
		{"denied, as disposition alone", adcs.Answer{RequestID: 9, Disposition: 0x80094014}, 9,
			adcs.RequestError{RequestID: 9, Disposition: 0x80094014, Code: adcs.ErrAdminDeniedRequest},
			adcs.ErrAdminDeniedRequest},
		{"denied at once", adcs.Answer{Returned: 0x80094014, RequestID: 9}, 0,
			adcs.RequestError{RequestID: 9, Code: adcs.ErrAdminDeniedRequest}, adcs.ErrAdminDeniedRequest},
		{"by a Win32 return value", adcs.Answer{Returned: 5}, 0,
			adcs.RequestError{Code: adcs.ErrAccessDenied}, adcs.ErrAccessDenied},
		{"the id of the question, where the answer has none", adcs.Answer{Returned: 0x80094004}, 12,
			adcs.RequestError{RequestID: 12, Code: adcs.ErrPropertyEmpty}, adcs.ErrPropertyEmpty},
		{"the variant of PROPERTY_EMPTY", adcs.Answer{Returned: 0x80074004}, 12,
			adcs.RequestError{RequestID: 12, Code: 0x80074004}, adcs.ErrPropertyEmpty},
		{"a small number outside the table", adcs.Answer{RequestID: 9, Disposition: 7}, 0,
			adcs.RequestError{RequestID: 9, Disposition: 7, Code: 0x80070007}, adcs.HResult(0x80070007)},
		{"a large number that is no error", adcs.Answer{RequestID: 9, Disposition: 0x40000000}, 0,
			adcs.RequestError{RequestID: 9, Disposition: 0x40000000, Code: 0x40000000}, adcs.HResult(0x40000000)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result, err := adcs.ParseAnswer(tc.answer, tc.asked)
			assert.Nil(t, result)
			e, ok := errors.AsType[*adcs.RequestError](err)
			require.True(t, ok, "%v", err)
			assert.Equal(t, tc.want, *e)
			if tc.is != nil {
				assert.ErrorIs(t, err, tc.is)
			}
			assert.NotEmpty(t, adcs.Explain(err).Remedy)
		})
	}
}

// TestAnswerThatContradictsItself: a return value that says that the call failed, and a disposition by which the request
// has come to something. Of a submission, that is no refusal.
func TestAnswerThatContradictsItself(t *testing.T) {
	for _, disposition := range []uint32{3, 4, 5} {
		a := adcs.Answer{Returned: 0x8007000E, RequestID: 9, Disposition: disposition}
		result, err := adcs.ParseAnswer(a, 0)
		assert.Nil(t, result)
		e, ok := errors.AsType[*adcs.AnswerError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, uint32(9), e.RequestID)
		assert.NotEmpty(t, adcs.Explain(err).Summary)
	}
}

// TestAnswerUnfinished: it is no refusal, since the CA may still issue.
func TestAnswerUnfinished(t *testing.T) {
	for _, asked := range []uint32{0, 9} {
		_, err := adcs.ParseAnswer(adcs.Answer{RequestID: 9, Disposition: uint32(adcs.Incomplete)}, asked)
		e, ok := errors.AsType[*adcs.AnswerError](err)
		require.True(t, ok, "%v", err)
		assert.Equal(t, uint32(9), e.RequestID)
	}
}

// TestAnswerNotOwner: CERTSRV_E_ADMIN_DENIED_REQUEST as the return value of a retrieval, without the disposition
// denied, is about the caller and says nothing about the request.
func TestAnswerNotOwner(t *testing.T) {
	for _, disposition := range []uint32{0, 1, 3, 5, 0x80094014} {
		result, err := adcs.ParseAnswer(adcs.Answer{
			Returned: 0x80094014, Disposition: disposition, Message: toUTF16("Not\nyours.\x00"),
		}, 9)
		assert.Nil(t, result)
		assert.ErrorIs(t, err, adcs.ErrNotOwner, "%d", disposition)
		assert.ErrorIs(t, err, adcs.ErrAdminDeniedRequest)
		_, refused := errors.AsType[*adcs.RequestError](err)
		assert.False(t, refused, "it is no decision")
		assert.ErrorContains(t, err, `request 9`)
		assert.ErrorContains(t, err, `(the CA says "Not yours.")`)
		assert.Equal(t, adcs.RetryOperator, adcs.Explain(err).Retry)
		assert.Contains(t, adcs.Explain(err).Summary, "another account")
	}
}

func TestRequestErrorText(t *testing.T) {
	assert.EqualError(t, &adcs.RequestError{RequestID: 9, Code: adcs.ErrTemplateDenied, Message: "a\"b"},
		"adcs: request 9 refused: CERTSRV_E_TEMPLATE_DENIED (0x80094012): the account has no permission to enroll "+
			`for this certificate template (the CA says "a\"b")`)
	assert.EqualError(t, &adcs.RequestError{Disposition: adcs.Denied}, "adcs: request refused: disposition denied")
	assert.EqualError(t, &adcs.AnswerError{Reason: "x"}, "adcs: unusable answer: x")
	assert.EqualError(t, &adcs.AnswerError{RequestID: 4, Reason: "x"}, "adcs: unusable answer to request 4: x")
	for d, name := range []string{"incomplete", "failed", "denied", "issued", "issued out of band", "pending", "revoked"} {
		assert.Equal(t, name, adcs.Disposition(d).String())
	}
	assert.Equal(t, "0x80094012", adcs.Disposition(0x80094012).String())
}

// TestAnswerUnusable has answers that say issued and do not hold together. None may become a result.
func TestAnswerUnusable(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t))
	otherTemplate := leafTemplate(t)
	otherTemplate.SerialNumber = big.NewInt(78)
	other := p.issue(t, otherTemplate)
	good := cms(t, oidData, nil, 0, leaf.Raw, p.ca.Raw)
	many := [][]byte{leaf.Raw}
	for range adcs.MaxCertificates {
		many = append(many, []byte{0x30, 0})
	}
	template := leafTemplate(t)
	template.ExtraExtensions = append(template.ExtraExtensions,
		pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: make([]byte, adcs.MaxLeaf)})
	hugeLeaf := p.issue(t, template)
	hugeElement, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: make([]byte, adcs.MaxChain)})
	require.NoError(t, err)
	body := cmcBody(t, 0, leaf.Raw)
	for _, tc := range []struct {
		name   string
		answer adcs.Answer
		asked  uint32
	}{
		{"no request id", adcs.Answer{Disposition: 3, Leaf: leaf.Raw, Chain: good}, 0},
		{"pending without a request id", adcs.Answer{Disposition: 5}, 0},
		{"another request id", adcs.Answer{RequestID: 8, Disposition: 3, Leaf: leaf.Raw, Chain: good}, 7},
		{"pending under another request id", adcs.Answer{RequestID: 8, Disposition: 5}, 7},
		{"issued out of band, and no certificate", adcs.Answer{RequestID: 7, Disposition: 4}, 0},
		{"no certificate", adcs.Answer{RequestID: 7, Disposition: 3, Chain: good}, 0},
		{"a certificate that is none", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: []byte{0x30, 0}, Chain: good}, 0},
		{"bytes after the certificate", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: append(bytes.Clone(leaf.Raw), 0)}, 0},
		{"a huge certificate", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: hugeLeaf.Raw}, 0},
		{"a huge chain",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidData, nil, 0, leaf.Raw, hugeElement)}, 0},
		{"a chain that is no CMS", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: p.ca.Raw}, 0},
		{"bytes after the chain",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: append(bytes.Clone(good), 0)}, 0},
		{"a chain with another certificate in place of the issued one",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidData, nil, 0, other.Raw, p.ca.Raw)}, 0},
		{"too many certificates",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidData, nil, 0, many...)}, 0},
		{"a chain with content",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidData, []byte{}, 0, leaf.Raw)}, 0},
		{"a chain with a signer",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidData, nil, 1, leaf.Raw)}, 0},
		{"a chain of another content type",
			adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw, Chain: cms(t, oidSignedData, nil, 0, leaf.Raw)}, 0},
		{"a CMC response that failed", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, cmcBody(t, 2, leaf.Raw), 1, leaf.Raw)}, 0},
		{"a CMC response about another certificate", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, cmcBody(t, 0, other.Raw), 1, leaf.Raw)}, 0},
		{"a CMC response with two statuses", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, twoStatuses(t, body), 1, leaf.Raw)}, 0},
		{"a CMC response without a body", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, nil, 1, leaf.Raw)}, 0},
		{"a CMC response without a status", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, []byte{0x30, 6, 0x30, 0, 0x30, 0, 0x30, 0}, 1, leaf.Raw)}, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result, err := adcs.ParseAnswer(tc.answer, tc.asked)
			assert.Nil(t, result)
			_, ok := errors.AsType[*adcs.AnswerError](err)
			require.True(t, ok, "%v", err)
			assert.Less(t, len(err.Error()), 500)
		})
	}
}

// twoStatuses doubles the controls of a response.
func twoStatuses(t testing.TB, body []byte) []byte {
	in := cryptobyte.String(body)
	var seq, controls cryptobyte.String
	require.True(t, in.ReadASN1(&seq, cbasn1.SEQUENCE) && seq.ReadASN1(&controls, cbasn1.SEQUENCE))
	var status cryptobyte.String
	require.True(t, controls.ReadASN1Element(&status, cbasn1.SEQUENCE))
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddBytes(status)
			b.AddBytes(status)
		})
		b.AddBytes(seq)
	})
	der, err := b.Bytes()
	require.NoError(t, err)
	return der
}

// TestRealMessages reads the CMC full responses of [MS-WSTEP], section 4, which a Windows CA made.
func TestRealMessages(t *testing.T) {
	for chain, certificate := range map[string]string{"WSTEP-1123.der": "WSTEP-1135.der", "WSTEP-1482.der": "WSTEP-1496.der"} {
		t.Run(chain, func(t *testing.T) {
			full, leaf := vector(t, chain), vector(t, certificate)
			contentType, content, certs, signers, err := adcs.ParseSignedData(full)
			require.NoError(t, err)
			assert.Equal(t, oidPKIResponse.String(), contentType)
			assert.Equal(t, 1, signers)
			assert.NotEqual(t, leaf, certs[0], "the leaf comes anywhere")
			response, err := adcs.ParseCMCResponse(content)
			require.NoError(t, err)
			assert.Equal(t, adcs.CMCSuccess, response.Status)
			assert.Equal(t, []uint32{1}, response.BodyParts)
			assert.Equal(t, "Issued", response.Text)
			assert.Len(t, response.IssuedHash, 20)

			result, err := adcs.ParseAnswer(adcs.Answer{RequestID: 61, Disposition: 3, Chain: full, Leaf: leaf}, 0)
			require.NoError(t, err)
			assert.Equal(t, leaf, result.Certificate.Raw)
			require.Len(t, result.Chain, len(certs)-1)
			assert.Equal(t, response, result.CMC)
			for _, ca := range result.Chain {
				assert.True(t, ca.IsCA)
			}
			_, err = adcs.ParseAnswer(adcs.Answer{
				RequestID: 61, Disposition: 3, Chain: full, Leaf: result.Chain[0].Raw,
			}, 0)
			_, ok := errors.AsType[*adcs.AnswerError](err)
			assert.True(t, ok, "the response is about another certificate: %v", err)
		})
	}
}

// TestFullResponses: what a CMC full response says beside the certificate.
func TestFullResponses(t *testing.T) {
	p := newPKI(t)
	leaf := p.issue(t, leafTemplate(t))
	status := func(fields ...[]byte) []byte {
		return der(0x30, der(0x30, der(0x30, []byte{2, 1, 1, 6, 8, 0x2b, 6, 1, 5, 5, 7, 7, 1},
			der(0x31, der(0x30, fields...)))), []byte{0x30, 0, 0x30, 0})
	}
	parts, one := der(0x30, []byte{2, 1, 1, 2, 5, 0, 0xff, 0xff, 0xff, 0xff}), []byte{0x30, 3, 2, 1, 1}
	pending := status([]byte{2, 1, 3}, one, der(0x0c, []byte("Taken\x1b Under")),
		der(0x30, []byte{4, 4, 7, 0, 0, 0}, der(0x18, []byte("20260601120000Z"))))
	failed := status([]byte{2, 1, 2}, parts, []byte{2, 1, 2})
	for _, tc := range []struct {
		name   string
		answer adcs.Answer
		want   *adcs.CMCResponse
	}{
		{"issued", adcs.Answer{RequestID: 7, Disposition: 3, Leaf: leaf.Raw,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 0}, one), 1, leaf.Raw)},
			&adcs.CMCResponse{Status: adcs.CMCSuccess, BodyParts: []uint32{1}}},
		{"pending", adcs.Answer{RequestID: 7, Disposition: 5, Chain: cms(t, oidPKIResponse, pending, 1)},
			&adcs.CMCResponse{Status: adcs.CMCPending, BodyParts: []uint32{1}, Text: "Taken Under",
				PendToken: []byte{7, 0, 0, 0}, PendTime: testTime}},
		{"pending, and the response says something else",
			adcs.Answer{RequestID: 7, Disposition: 5, Chain: cms(t, oidPKIResponse, failed, 1)}, nil},
		{"failed", adcs.Answer{RequestID: 7, Disposition: 0x80094800, Chain: cms(t, oidPKIResponse, failed, 1)},
			&adcs.CMCResponse{Status: adcs.CMCFailed, BodyParts: []uint32{1, 1<<32 - 1}, Failure: "badRequest"}},
		{"failed without a name", adcs.Answer{RequestID: 7, Disposition: 2,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 2}, one, []byte{2, 1, 99}), 1)},
			&adcs.CMCResponse{Status: adcs.CMCFailed, BodyParts: []uint32{1}, Failure: "99"}},
		{"failed for another reason", adcs.Answer{RequestID: 7, Disposition: 2,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 2}, one, []byte{0xa1, 6, 6, 2, 0x2a, 3, 5, 0}), 1)},
			&adcs.CMCResponse{Status: adcs.CMCFailed, BodyParts: []uint32{1},
				ExtendedFailure: asn1.ObjectIdentifier{1, 2, 3}}},
		{"too many body parts", adcs.Answer{RequestID: 7, Disposition: 2,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 2}, der(0x30, bytes.Repeat([]byte{2, 1, 1}, 33))), 1)}, nil},
		{"a body part that is none", adcs.Answer{RequestID: 7, Disposition: 2,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 2}, der(0x30, []byte{2, 1, 0xff})), 1)}, nil},
		{"a token that is too long", adcs.Answer{RequestID: 7, Disposition: 5,
			Chain: cms(t, oidPKIResponse, status([]byte{2, 1, 3}, one,
				der(0x30, der(4, make([]byte, 2000)), der(0x18, []byte("20260601120000Z")))), 1)}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result, err := adcs.ParseAnswer(tc.answer, 0)
			if refused, ok := errors.AsType[*adcs.RequestError](err); ok {
				assert.Equal(t, tc.want, refused.CMC)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tc.want, result.CMC)
		})
	}
	names := map[adcs.CMCStatus]string{0: "success", 2: "failed", 3: "pending", 6: "popRequired", 77: "CMC status 77"}
	for s, name := range names {
		assert.Equal(t, name, s.String())
	}
}

// der encodes a value of parts.
func der(tag byte, parts ...[]byte) []byte {
	content := bytes.Join(parts, nil)
	b, err := asn1.Marshal(asn1.RawValue{
		Class: int(tag >> 6), Tag: int(tag & 31), IsCompound: tag&32 != 0, Bytes: content,
	})
	if err != nil {
		panic(err)
	}
	return b
}

// FuzzAnswer feeds arbitrary answers. A result that comes out of one must be usable and must say what the answer said.
func FuzzAnswer(f *testing.F) {
	p := fuzzPKI(f)
	leaf := p.issue(f, leafTemplate(f))
	f.Add(uint32(0), uint32(7), uint32(3), cms(f, oidData, nil, 0, p.ca.Raw, leaf.Raw), leaf.Raw, toUTF16("Issued\x00"), uint32(0))
	f.Add(uint32(0), uint32(7), uint32(3), cms(f, oidPKIResponse, cmcBody(f, 0, leaf.Raw), 1, p.ca.Raw, leaf.Raw), leaf.Raw,
		[]byte{1}, uint32(7))
	f.Add(uint32(0), uint32(7), uint32(5), []byte(nil), []byte(nil), toUTF16("Taken Under Submission\x00"), uint32(0))
	f.Add(uint32(0x80094014), uint32(7), uint32(2), []byte(nil), []byte(nil), []byte(nil), uint32(7))
	f.Fuzz(func(t *testing.T, returned, id, disposition uint32, chain, certificate, message []byte, asked uint32) {
		result, err := adcs.ParseAnswer(adcs.Answer{returned, id, disposition, chain, certificate, message}, asked)
		if err != nil {
			require.Nil(t, result)
			assert.NotEmpty(t, adcs.Explain(err).Summary)
			return
		}
		assert.Zero(t, returned)
		assert.Equal(t, adcs.Disposition(disposition), result.Disposition)
		assert.NotZero(t, result.RequestID)
		assert.True(t, asked == 0 || asked == result.RequestID)
		if result.Disposition == adcs.Pending {
			assert.Nil(t, result.Certificate)
			return
		}
		assert.Equal(t, certificate, result.Certificate.Raw)
		for _, c := range result.Chain {
			assert.True(t, bytes.Contains(chain, c.Raw))
			assert.NotEqual(t, certificate, c.Raw)
		}
	})
}

// FuzzSignedData feeds arbitrary CMS and CMC. The certificates found must be parts of the message.
func FuzzSignedData(f *testing.F) {
	p := fuzzPKI(f)
	f.Add(cms(f, oidData, nil, 0, p.ca.Raw, p.root.Raw))
	f.Add(cms(f, oidPKIResponse, cmcBody(f, 3, p.ca.Raw), 1, p.ca.Raw))
	f.Add(cmcBody(f, 0, p.ca.Raw))
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, content, certs, _, err := adcs.ParseSignedData(data); err == nil {
			assert.LessOrEqual(t, len(certs), adcs.MaxCertificates)
			for _, c := range certs {
				assert.True(t, bytes.Contains(data, c))
				_, _ = x509.ParseCertificate(c)
			}
			_, _ = adcs.ParseCMCResponse(content)
		}
		if r, err := adcs.ParseCMCResponse(data); err == nil {
			assert.GreaterOrEqual(t, int(r.Status), -1)
			assert.NotEmpty(t, r.Status.String())
			assert.True(t, bytes.Contains(data, r.IssuedHash))
			assert.True(t, bytes.Contains(data, r.PendToken))
			assert.LessOrEqual(t, len(r.BodyParts), len(data))
			assert.True(t, utf8.ValidString(r.Text))
		}
	})
}
