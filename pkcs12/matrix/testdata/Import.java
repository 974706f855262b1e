import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.cert.CertPathValidator;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * Opens every .p12 of a folder as a KeyStore, signs with its key and verifies with its certificate and chain; then has
 * keytool import it into another KeyStore, and does the same with that. keytool runs in this process, since a start of
 * the virtual machine for each file would take too long.
 *
 * <p>Prints a JSON object: for each file the members of outcome in outcome_test.go, their bytes in base64.
 */
class Import {
    static Path folder;

    public static void main(String[] args) throws Exception {
        if (args[0].equals("--version")) {
            System.out.println(System.getProperty("java.version"));
            return;
        }
        folder = Path.of(args[0]);
        Map<String, String> outcomes = new TreeMap<>();
        for (File file : folder.toFile().listFiles((d, name) -> name.endsWith(".p12"))) {
            outcomes.put(file.getName(), json(outcome(file)));
        }
        System.out.println(json(outcomes));
    }

    static Map<String, String> outcome(File file) throws Exception {
        KeyStore store;
        try {
            store = KeyStore.getInstance(file, password("password"));
        } catch (Exception e) {
            return Map.of("Refused", b64(e.toString()), "Wrong", wrong(file));
        }
        Map<String, String> outcome;
        try {
            outcome = use(store);
            Map<String, String> imported = use(importWithKeytool(file));
            for (String member : List.of("Leaf", "CAs", "Name")) {
                if (!outcome.get(member).equals(imported.get(member))) {
                    throw new Exception("keytool imports another " + member);
                }
            }
        } catch (Exception e) {
            return Map.of("Problem", b64(e.toString()));
        }
        outcome.put("Wrong", wrong(file));
        return outcome;
    }

    /** What KeyStore and keytool say to a wrong password, if both refuse it. */
    static String wrong(File file) throws Exception {
        try {
            KeyStore.getInstance(file, password("wrong"));
            return "null";
        } catch (Exception e) {
            try {
                keytool("-list", "-keystore", file.getPath(), "-storepass:file", folder.resolve("wrong").toString());
                return "null";
            } catch (Exception e2) {
                return b64(e + "\n" + e2);
            }
        }
    }

    static Map<String, String> use(KeyStore store) throws Exception {
        List<String> aliases = Collections.list(store.aliases());
        if (aliases.size() != 1 || !store.isKeyEntry(aliases.get(0))) {
            throw new Exception("entries: " + aliases);
        }
        String alias = aliases.get(0);
        Certificate[] chain = store.getCertificateChain(alias);
        byte[] message = Files.readAllBytes(folder.resolve("message"));
        byte[] signature = sign((PrivateKey) store.getKey(alias, password("password")), message);
        verify(chain[0], message, signature);
        validate(chain);
        List<String> cas = new ArrayList<>();
        for (int i = 1; i < chain.length; i++) {
            cas.add(b64(chain[i].getEncoded()));
        }
        Map<String, String> outcome = new TreeMap<>();
        outcome.put("Leaf", b64(chain[0].getEncoded()));
        outcome.put("CAs", cas.toString());
        outcome.put("Name", b64(alias));
        outcome.put("Signature", b64(signature));
        return outcome;
    }

    static byte[] sign(PrivateKey key, byte[] message) throws Exception {
        Signature s = Signature.getInstance(key.getAlgorithm().equals("RSA") ? "SHA256withRSA" : "SHA256withECDSA");
        s.initSign(key);
        s.update(message);
        return s.sign();
    }

    static void verify(Certificate cert, byte[] message, byte[] signature) throws Exception {
        boolean rsa = cert.getPublicKey().getAlgorithm().equals("RSA");
        Signature s = Signature.getInstance(rsa ? "SHA256withRSA" : "SHA256withECDSA");
        s.initVerify(cert);
        s.update(message);
        if (!s.verify(signature)) {
            throw new Exception("the signature does not verify");
        }
    }

    /** Validates the chain as it is in the store, without its root, and with the issuing CA if it has none. */
    static void validate(Certificate[] chain) throws Exception {
        Certificate root = certificate("root.pem");
        List<Certificate> path = new ArrayList<>(Arrays.asList(chain));
        path.remove(root);
        if (path.size() == 1) {
            path.add(certificate("issuing.pem"));
        }
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor((X509Certificate) root, null)));
        parameters.setRevocationEnabled(false);
        CertPathValidator.getInstance("PKIX")
                .validate(CertificateFactory.getInstance("X.509").generateCertPath(path), parameters);
    }

    static Certificate certificate(String name) throws Exception {
        try (var in = Files.newInputStream(folder.resolve(name))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in);
        }
    }

    static KeyStore importWithKeytool(File file) throws Exception {
        Path into = folder.resolve(file.getName() + ".keystore");
        String password = folder.resolve("password").toString();
        keytool("-importkeystore", "-srckeystore", file.getPath(), "-srcstorepass:file", password,
                "-destkeystore", into.toString(), "-deststorepass:file", password);
        return KeyStore.getInstance(into.toFile(), password("password"));
    }

    /** With -debug it throws, and does not end the virtual machine. What it says is of no use then. */
    static void keytool(String... args) throws Exception {
        List<String> all = new ArrayList<>(List.of("-debug"));
        all.addAll(Arrays.asList(args));
        PrintStream out = System.out, err = System.err;
        PrintStream silent = new PrintStream(new ByteArrayOutputStream());
        System.setOut(silent);
        System.setErr(silent);
        try {
            sun.security.tools.keytool.Main.main(all.toArray(new String[0]));
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }

    static char[] password(String name) throws Exception {
        return Files.readString(folder.resolve(name)).toCharArray();
    }

    static String b64(byte[] data) {
        return '"' + Base64.getEncoder().encodeToString(data) + '"';
    }

    static String b64(String text) {
        return b64(text.getBytes(StandardCharsets.UTF_8));
    }

    /** The values are JSON already. */
    static String json(Map<String, String> members) {
        List<String> list = new ArrayList<>();
        members.forEach((name, value) -> list.add('"' + name + "\":" + value));
        return '{' + String.join(",", list) + '}';
    }
}
