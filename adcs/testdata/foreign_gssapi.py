"""The server's side of Kerberos for foreign_ca.py: MIT's GSSAPI, by itself and with MIT's SPNEGO around it."""
import gssapi
from gssapi.raw import IOV, IOVBufferType, unwrap_iov, wrap_iov, wrap_iov_length


class GSSAcceptor:
    """A security context in DCE style. need and Refused are foreign_ca's."""

    def __init__(self, o, need, refused):
        self.o, self.need, self.refused = o, need, refused
        # Without a replay cache, which would be a file in /var/tmp that stays.
        creds = gssapi.Credentials(usage="accept", store={"keytab": o.keytab, "rcache": "none:"})
        self.context = gssapi.SecurityContext(creds=creds, usage="accept")
        self.context.__DEFER_STEP_ERRORS__ = False
        self.header = o.header_signing  # is signed along with the body

    def token(self, data):
        """Returns the answer and whether that is all."""
        self.need(not self.context.complete, "a token too many")
        try:
            answer = self.context.step(data) or b""
        except gssapi.exceptions.GSSError as e:
            raise self.refused(str(e), e.token) from e
        if self.context.complete:
            self.check()
        return answer, self.context.complete

    def check(self):
        flag = gssapi.RequirementFlag
        for wanted in (flag.dce_style, flag.mutual_authentication, flag.confidentiality, flag.integrity,
                       flag.replay_detection, flag.out_of_sequence_detection):
            self.need(wanted in self.context.actual_flags, "the context is without flag %s", wanted)
        size = self.signature_size(bytes(16))
        self.need(not self.o.signature or size == self.o.signature, "signatures of %d bytes", size)
        name = str(self.context.initiator_name)
        if name.lower() != self.o.user.lower() + "@" + self.o.realm.lower():
            raise self.refused("no user " + name)

    def iov(self, before, body, after, signature):
        parts = [body, signature]
        if self.header:
            parts = [(IOVBufferType.sign_only, before), body, (IOVBufferType.sign_only, after), signature]
        return IOV(*parts, std_layout=False), 1 if self.header else 0

    def signature_size(self, body):
        iov, _ = self.iov(bytes(24), body, bytes(8), IOVBufferType.header)
        wrap_iov_length(self.context, iov, confidential=True)
        return len(iov[len(iov) - 1].value)

    def seal(self, before, body, after):
        iov, at = self.iov(before, body, after, IOVBufferType.header)
        wrap_iov(self.context, iov, confidential=True)
        return iov[at].value, iov[len(iov) - 1].value

    def unseal(self, before, body, after, signature):
        iov, at = self.iov(before, body, after, (IOVBufferType.header, False, signature))
        try:
            result = unwrap_iov(self.context, iov)
        except gssapi.exceptions.GSSError as e:
            self.need(False, "wrong signature: %s", e)
        self.need(result.encrypted, "the body is not encrypted")
        return iov[at].value
