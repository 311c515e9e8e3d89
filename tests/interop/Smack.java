import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Security;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;

import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.igniterealtime.smack.inttest.Configuration;
import org.igniterealtime.smack.inttest.FailedTest;
import org.igniterealtime.smack.inttest.SmackIntegrationTestFramework;
import org.igniterealtime.smack.inttest.SuccessfulTest;
import org.igniterealtime.smack.inttest.TestNotPossible;
import org.igniterealtime.smack.inttest.XmppConnectionDescriptor;
import org.igniterealtime.smack.inttest.XmppConnectionManager;
import org.jivesoftware.smack.c2s.ModularXmppClientToServerConnection;
import org.jivesoftware.smack.c2s.ModularXmppClientToServerConnectionConfiguration;
import org.jivesoftware.smack.tcp.XMPPTCPConnection;
import org.jivesoftware.smack.tcp.XMPPTCPConnectionConfiguration;
import org.jivesoftware.smackx.omemo.signal.SignalOmemoService;

/**
 * Smack's integration tests against a port of our choice (its own main program knows 5222 only), with results that
 * a program can read: lines of outcome, class, method, connection, reason, separated by tabs.
 *
 * Runs as a source file: java -Dsinttest.KEY=VALUE ... Smack.java PORT RESULTS
 */
final class Smack extends SmackIntegrationTestFramework {
    private static final int MOST_ABORTS = 25;
    /**
     * Each in a run of its own, with new accounts: where the first fails, its listener stays and spoils what follows
     * in its class; the second counts on an archive in which nobody has said anything.
     */
    private static final List<String> APART = List.of("FileTransferIntegrationTest.fileTransferTest",
                                                      "OmemoMamDecryptionTest.mamDecryptionTest");
    /** Tests end with stanzas on the way (their contacts' removal), and the next looks at what they change. */
    private static final long SETTLE_MS = 250;

    private Smack(Configuration configuration) {
        super(configuration);
    }

    public static void main(String[] arguments) throws IOException {
        Begun begun = new Begun();
        Logger.getLogger(SmackIntegrationTestFramework.class.getName()).addHandler(begun);
        try (PrintStream out = new PrintStream(arguments[1], StandardCharsets.UTF_8)) {
            // What its tests of OMEMO need (XEP-0384).
            Security.addProvider(new BouncyCastleProvider());
            SignalOmemoService.acknowledgeLicense();
            SignalOmemoService.setup();
            usePort(Integer.parseInt(arguments[0]));
            boolean all = System.getProperty("sinttest.enabledTests") == null;
            if (all) {
                System.setProperty("sinttest.disabledTests", String.join(",", APART));
            }
            runAll(out, begun);
            for (String test : all ? APART : List.<String>of()) {
                System.clearProperty("sinttest.disabledTests");
                System.setProperty("sinttest.enabledTests", test);
                runAll(out, begun);
            }
        } catch (ReflectiveOperationException | GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
        System.exit(0);
    }

    private static void runAll(PrintStream out, Begun begun) throws IOException, GeneralSecurityException {
        for (int aborts = 0; aborts < MOST_ABORTS; ++aborts) {
            Smack smack = new Smack(Configuration.newConfiguration(new String[0]));
            if (smack.runAndWrite(out, begun)) {
                break;
            }
        }
    }

    /**
     * Connections to `port`; low-level tests with the kind that most programs use. Not WebSocket, and not Smack's newer
     * "modular" kind except in the tests of just that: in this version, on a busy host, it sometimes never reads
     * what any server answers to its stream header.
     */
    private static void usePort(int port) throws ReflectiveOperationException {
        for (String nickname : List.of("modular-websocket-okhttp", "modular-websocket-java11", "modular-nocompress")) {
            XmppConnectionManager.removeConnectionDescriptor(nickname);
        }
        XmppConnectionManager.addConnectionDescriptor(
            XmppConnectionDescriptor.buildWith(XMPPTCPConnection.class, XMPPTCPConnectionConfiguration.class,
                                               XMPPTCPConnectionConfiguration.Builder.class)
                .withNickname("tcp").applyExtraConfiguration(builder -> builder.setPort(port)).build());
        XmppConnectionManager.addConnectionDescriptor(
            XmppConnectionDescriptor.buildWith(ModularXmppClientToServerConnection.class,
                                               ModularXmppClientToServerConnectionConfiguration.class,
                                               ModularXmppClientToServerConnectionConfiguration.Builder.class)
                .withNickname("modular").applyExtraConfiguration(builder -> builder.setPort(port)).build());
        System.setProperty("sinttest.defaultConnection", "tcp");
        System.setProperty("sinttest.disabledConnections", "modular");
    }

    /**
     * False where the framework gave up: a test threw what it did not expect. That test has failed; the next run
     * leaves out what was run.
     */
    private boolean runAndWrite(PrintStream out, Begun begun) {
        begun.name = "";
        Throwable abort = null;
        try {
            run();
        } catch (Throwable e) {
            e.printStackTrace();
            abort = e;
        }
        boolean first = begun.runs++ == 0;
        Set<String> done = new TreeSet<>();
        if (testRunResult != null) {
            testRunResult.getImpossibleTestClasses().forEach((type, reason) -> {
                if (begun.impossible.add(type.getSimpleName())) {
                    line(out, "impossible", type.getSimpleName(), "", "", text(reason));
                }
            });
            for (TestNotPossible test : testRunResult.getNotPossibleTests()) {
                done.add(line(out, "impossible", test.concreteTest, text(test.testNotPossibleException)));
            }
            for (SuccessfulTest test : testRunResult.getSuccessfulTests()) {
                done.add(line(out, "passed", test.concreteTest, ""));
            }
            for (FailedTest test : testRunResult.getFailedTests()) {
                done.add(line(out, "failed", test.concreteTest, text(test.failureReason)));
            }
        }
        // The last test of all ended the run before this one: nothing is left.
        if (abort == null || (!first && "No integration tests selected.".equals(abort.getMessage()))) {
            return true;
        }
        if (begun.name.isEmpty()) {
            line(out, "aborted", "", "", "", text(abort));
            return true;
        }
        String[] name = begun.name.split("\\.", 2);
        line(out, "failed", name[0], name[1], "", text(abort));
        done.add(begun.name);
        String before = System.getProperty("sinttest.disabledTests");
        if (before != null) {
            done.add(before);
        }
        System.setProperty("sinttest.disabledTests", String.join(",", done));
        return false;
    }

    private static String text(Throwable reason) {
        return reason.getClass().getSimpleName() + ": " + reason.getMessage();
    }

    private static String line(PrintStream out, String outcome, ConcreteTest test, String reason) {
        Method method = test.getMethod();
        String type = method.getDeclaringClass().getSimpleName();
        line(out, outcome, type, method.getName(), String.join(" ", test.getSubdescriptons()), reason);
        return type + "." + method.getName();
    }

    private static void line(PrintStream out, String... fields) {
        List<String> clean = new ArrayList<>();
        for (String field : fields) {
            clean.add(field.replaceAll("\\s+", " "));
        }
        out.println(String.join("\t", clean));
    }

    /** What runs before this one did, and the Class.method that the framework began last, by what it logs. */
    private static final class Begun extends Handler {
        private volatile String name = "";
        private int runs = 0;
        private final Set<String> impossible = new TreeSet<>();

        @Override
        public void publish(LogRecord entry) {
            String text = entry.getMessage();
            if (text != null && text.endsWith(") Start")) {
                name = text.substring(0, text.indexOf(' '));
                try {
                    Thread.sleep(SETTLE_MS);  // the framework's thread, before the test
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        @Override
        public void flush() { }

        @Override
        public void close() { }
    }
}
