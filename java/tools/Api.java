import java.io.IOException;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.AnnotatedType;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.Member;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.TypeVariable;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The public API of a module, as a text that is committed: who changes it sees it in the diff.
 * Started by pom.xml, from this source.
 *
 * <pre>java --class-path CLASSPATH Api.java CLASSES FILE BLESS</pre>
 *
 * CLASSES is the folder with the module's classes. FILE is compared with what they say; it is
 * written anew if BLESS is anything but "no".
 */
final class Api {
    private final StringBuilder text = new StringBuilder();

    private Api() {}

    public static void main(String[] args) throws IOException, ClassNotFoundException {
        Path classes = Path.of(args[0]);
        Path file = Path.of(args[1]);
        String wanted = new Api().module(classes);
        if (!args[2].equals("no")) {
            Files.writeString(file, wanted);
            return;
        }
        String committed = Files.exists(file) ? Files.readString(file) : "";
        if (!committed.equals(wanted)) {
            System.err.println("awsgi: the public API is not what " + file + " says:");
            difference(committed, wanted);
            System.err.println(
                    "If that is meant: mvn verify -DskipTests -Dawsgi.bless, and commit the file.");
            System.exit(1);
        }
    }

    private String module(Path classes) throws IOException, ClassNotFoundException {
        ModuleDescriptor module;
        try (var in = Files.newInputStream(classes.resolve("module-info.class"))) {
            module = ModuleDescriptor.read(in);
        }
        line("module " + module.name() + " {");
        List<String> directives = new ArrayList<>();
        for (ModuleDescriptor.Requires requires : module.requires()) {
            if (!requires.modifiers().contains(ModuleDescriptor.Requires.Modifier.MANDATED)) {
                String how =
                        requires.modifiers().stream()
                                .sorted()
                                .map(m -> m.name().toLowerCase() + " ")
                                .collect(Collectors.joining());
                directives.add("requires " + how + requires.name());
            }
        }
        Set<String> packages = new TreeSet<>();
        for (ModuleDescriptor.Exports exports : module.exports()) {
            if (!exports.isQualified()) {
                packages.add(exports.source());
                directives.add("exports " + exports.source());
            }
        }
        for (ModuleDescriptor.Provides provides : module.provides()) {
            directives.add("provides " + provides.service());
        }
        for (String service : module.uses()) {
            directives.add("uses " + service);
        }
        members(directives);
        line("}");

        for (String name : packages) {
            for (Class<?> type : publicTypes(classes, name)) {
                type(type);
            }
        }
        return text.toString();
    }

    private static List<Class<?>> publicTypes(Path classes, String packageName)
            throws IOException, ClassNotFoundException {
        List<Class<?>> types = new ArrayList<>();
        try (Stream<Path> files = Files.list(classes.resolve(packageName.replace('.', '/')))) {
            for (Path file : (Iterable<Path>) files.sorted()::iterator) {
                String name = file.getFileName().toString();
                if (!name.endsWith(".class") || name.equals("package-info.class")) {
                    continue;
                }
                String binary =
                        packageName + "." + name.substring(0, name.length() - ".class".length());
                Class<?> type = Class.forName(binary, false, Api.class.getClassLoader());
                if (isReachable(type)) {
                    types.add(type);
                }
            }
        }
        return types;
    }

    /** Whether users can name it: it, and every type that it is nested in. */
    private static boolean isReachable(Class<?> type) {
        if (type.isAnonymousClass() || type.isLocalClass()) {
            return false;
        }
        for (Class<?> each = type; each != null; each = each.getEnclosingClass()) {
            if (!isVisible(each.getModifiers(), each.getEnclosingClass())) {
                return false;
            }
        }
        return true;
    }

    /** Protected is for those who extend, where they can. */
    private static boolean isVisible(int modifiers, Class<?> declaring) {
        return Modifier.isPublic(modifiers)
                || Modifier.isProtected(modifiers)
                        && declaring != null
                        && !Modifier.isFinal(declaring.getModifiers());
    }

    private void type(Class<?> type) {
        StringBuilder head = new StringBuilder("\n").append(deprecated(type));
        int modifiers = type.getModifiers();
        if (type.isInterface()) {
            modifiers &= ~Modifier.ABSTRACT;
        }
        if (type.isEnum() || type.isRecord()) {
            modifiers &= ~(Modifier.FINAL | Modifier.ABSTRACT);
        }
        modifiers &= type.isMemberClass() ? ~0 : ~Modifier.STATIC;
        head.append(
                Modifier.toString(
                        modifiers & (Modifier.classModifiers() | Modifier.interfaceModifiers())));
        // An enum whose constants have bodies is one, too.
        boolean isSealed = type.isSealed() && !type.isEnum();
        head.append(isSealed ? " sealed" : "");
        head.append(
                type.isAnnotation()
                        ? " @interface "
                        : type.isInterface()
                                ? " interface "
                                : type.isEnum()
                                        ? " enum "
                                        : type.isRecord() ? " record " : " class ");
        head.append(type.getCanonicalName()).append(variables(type.getTypeParameters()));
        if (type.isRecord()) {
            head.append(
                    Arrays.stream(type.getRecordComponents())
                            .map(c -> name(c.getAnnotatedType()) + " " + c.getName())
                            .collect(Collectors.joining(", ", "(", ")")));
        }
        AnnotatedType parent = type.getAnnotatedSuperclass();
        if (parent != null
                && !type.isEnum()
                && !type.isRecord()
                && parent.getType() != Object.class) {
            head.append(" extends ").append(name(parent));
        }
        List<String> interfaces = names(type.getAnnotatedInterfaces());
        if (!interfaces.isEmpty() && !type.isAnnotation()) {
            head.append(type.isInterface() ? " extends " : " implements ")
                    .append(String.join(", ", interfaces));
        }
        if (isSealed) {
            head.append(" permits ")
                    .append(
                            Arrays.stream(type.getPermittedSubclasses())
                                    .map(Class::getCanonicalName)
                                    .sorted()
                                    .collect(Collectors.joining(", ")));
        }
        line(head.append(" {").toString());

        List<String> members = new ArrayList<>();
        for (Field field : type.getDeclaredFields()) {
            if (isListed(field)) {
                members.add(field(field));
            }
        }
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (isListed(constructor) && !isImplied(constructor)) {
                members.add(
                        executable(
                                constructor,
                                Modifier.constructorModifiers(),
                                type.getSimpleName()));
            }
        }
        for (Method method : type.getDeclaredMethods()) {
            if (isListed(method) && !isImplied(method)) {
                // Who calls a method need not know these.
                int shown =
                        Modifier.methodModifiers()
                                & ~(Modifier.SYNCHRONIZED | Modifier.NATIVE | Modifier.STRICT);
                String before =
                        (method.isDefault() ? "default " : "")
                                + name(method.getAnnotatedReturnType())
                                + " ";
                members.add(executable(method, shown, before + method.getName()));
            }
        }
        members(members);
        line("}");
    }

    private static boolean isListed(Member member) {
        return !member.isSynthetic()
                && isVisible(member.getModifiers(), member.getDeclaringClass());
    }

    /** What every enum has, or what the head of a record says. */
    private static boolean isImplied(Executable executable) {
        Class<?> type = executable.getDeclaringClass();
        List<Class<?>> parameters = Arrays.asList(executable.getParameterTypes());
        if (type.isEnum()) {
            return executable instanceof Constructor
                    || Set.of("values", "valueOf").contains(executable.getName());
        }
        if (type.isRecord()) {
            List<Class<?>> components = new ArrayList<>();
            Set<String> names = new TreeSet<>(Set.of("toString", "hashCode"));
            for (RecordComponent component : type.getRecordComponents()) {
                components.add(component.getType());
                names.add(component.getName());
            }
            return executable instanceof Constructor
                    ? parameters.equals(components)
                    : parameters.isEmpty() && names.contains(executable.getName())
                            || executable.getName().equals("equals")
                                    && parameters.equals(List.of(Object.class));
        }
        return false;
    }

    private static String field(Field field) {
        int shown = Modifier.fieldModifiers() & ~(Modifier.VOLATILE | Modifier.TRANSIENT);
        if (field.isEnumConstant()) {
            return deprecated(field) + field.getName();
        }
        return deprecated(field)
                + Modifier.toString(field.getModifiers() & shown)
                + " "
                + name(field.getAnnotatedType())
                + " "
                + field.getName()
                + value(field);
    }

    /** A constant's value: the compiler writes it into the classes of users, where it stays. */
    private static String value(Field field) {
        boolean isConstant =
                Modifier.isStatic(field.getModifiers())
                        && Modifier.isFinal(field.getModifiers())
                        && (field.getType().isPrimitive() || field.getType() == String.class);
        if (!isConstant) {
            return "";
        }
        try {
            field.setAccessible(true);
            return " = " + field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String executable(Executable executable, int shown, String name) {
        int modifiers = executable.getModifiers() & shown;
        if (executable.getDeclaringClass().isInterface()) {
            modifiers &= ~Modifier.ABSTRACT;
        }
        StringBuilder line =
                new StringBuilder(deprecated(executable))
                        .append(Modifier.toString(modifiers))
                        .append(' ');
        String variables = variables(executable.getTypeParameters());
        line.append(variables).append(variables.isEmpty() ? "" : " ").append(name);
        List<String> parameters = names(executable.getAnnotatedParameterTypes());
        if (executable.isVarArgs()) {
            int last = parameters.size() - 1;
            parameters.set(last, parameters.get(last).replaceFirst("\\[\\]$", "..."));
        }
        line.append('(').append(String.join(", ", parameters)).append(')');
        List<String> thrown = names(executable.getAnnotatedExceptionTypes());
        if (!thrown.isEmpty()) {
            Collections.sort(thrown);
            line.append(" throws ").append(String.join(", ", thrown));
        }
        return line.toString();
    }

    private static String deprecated(AnnotatedElement element) {
        Deprecated deprecated = element.getAnnotation(Deprecated.class);
        return deprecated == null
                ? ""
                : deprecated.forRemoval() ? "@Deprecated(forRemoval) " : "@Deprecated ";
    }

    private static String variables(TypeVariable<?>[] variables) {
        if (variables.length == 0) {
            return "";
        }
        return Arrays.stream(variables)
                .map(Api::variable)
                .collect(Collectors.joining(", ", "<", ">"));
    }

    private static String variable(TypeVariable<?> variable) {
        List<String> bounds = names(variable.getAnnotatedBounds());
        return variable.getName()
                + (bounds.equals(List.of("Object"))
                        ? ""
                        : " extends " + String.join(" & ", bounds));
    }

    private static List<String> names(AnnotatedType[] types) {
        return Arrays.stream(types).map(Api::name).collect(Collectors.toCollection(ArrayList::new));
    }

    /** As one would write it, with the packages that everybody knows left out. */
    private static String name(AnnotatedType type) {
        return type.toString()
                .replaceAll("@org\\.jspecify\\.annotations\\.(\\w+)\\(\\)", "@$1")
                .replaceAll("\\bjava\\.lang\\.(?=@?\\w+\\b(?!\\.))", "")
                .replace('$', '.');
    }

    private void members(List<String> members) {
        Collections.sort(members);
        for (String member : members) {
            line("    " + member + ";");
        }
    }

    private void line(String line) {
        text.append(line).append('\n');
    }

    private static void difference(String committed, String wanted) {
        List<String> before = committed.lines().collect(Collectors.toList());
        List<String> after = wanted.lines().collect(Collectors.toList());
        // As lines are sorted, those that only one side has are what differs.
        before.stream()
                .filter(line -> !after.contains(line))
                .forEach(line -> System.err.println("-" + line));
        after.stream()
                .filter(line -> !before.contains(line))
                .forEach(line -> System.err.println("+" + line));
    }
}
