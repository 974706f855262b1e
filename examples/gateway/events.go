package main

import (
	"log"

	"github.com/adcskit/adcskit/wsproto/gateway"
)

// logConnector tells of connectors that come and go, and what a person has to do about them.
func logConnector(logger *log.Logger, e gateway.ConnectorEvent) {
	who := e.Tenant + ": connector " + e.Connector
	if e.Host != "" {
		who += " (" + e.Host + ")"
	}
	who += " from " + e.Source
	switch e.Kind {
	case gateway.ConnectorWaits:
		logger.Printf("%s waits for approval, keys: %s; compare its fingerprint with what `connector show` prints there, then: "+
			"gateway approve %s %s", who, level(e), e.Tenant, e.Connector)
	case gateway.ConnectorActive:
		logger.Printf("%s is connected, keys: %s; assigned: %s", who, level(e), listCAs(e.CAs))
		if e.Message != "" {
			logger.Printf("%s: %s", who, e.Message)
		}
		if len(e.CAs) == 0 {
			logger.Printf(`%s gets no jobs before: gateway assign %s %s 'HOST\NAME'`, who, e.Tenant, e.Connector)
		}
	case gateway.ConnectorRefused:
		logger.Printf("%s was refused: %s", who, e.Message)
	case gateway.ConnectorGone:
		logger.Printf("%s is gone: %s", who, e.Message)
	}
}

// level says where the keys of a connector are, as far as it has been proved.
func level(e gateway.ConnectorEvent) string {
	if e.AttestationDetail == "" {
		return e.Attestation
	}
	return e.Attestation + " (" + e.AttestationDetail + ")"
}
