/* Calls that JNI forbids, and the JVM reports with -Xcheck:jni. */
#include <jni.h>

JNIEXPORT void JNICALL Java_io_awsgi_gate_MisuseTest_callWithAnExceptionPending(JNIEnv *env, jclass type) {
  (void)type;
  (*env)->ThrowNew(env, (*env)->FindClass(env, "java/lang/IllegalStateException"), "pending");
  (*env)->FindClass(env, "java/lang/String");
  (*env)->ExceptionClear(env);
}
