// Package adcskit is the map of a Go SDK for building connectors between a cloud tenant and Microsoft Active Directory
// Certificate Services (AD CS).
package adcskit
