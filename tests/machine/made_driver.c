/* A driver's library whose answers are written here and in the environment: as many of one card as
   MADE_GPUS says, each of which can be made old, busy, exclusive, hot or divided. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { unsigned long long total, free, used; } Memory;
typedef struct { unsigned gpu, memory; } Rates;

static long said(const char *name, long otherwise) {
    const char *value = getenv(name);
    return value ? strtol(value, 0, 0) : otherwise;
}
static long number_of(void *handle) { return (long)handle - 1; }
static int is_part(void *handle) { return number_of(handle) >= 100; }

int nvmlInit_v2(void) { return said("MADE_INIT", 0); }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *text, unsigned size) {
    snprintf(text, size, "580.65.06");
    return 0;
}
int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    *version = said("MADE_CUDA", 13000);
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = said("MADE_GPUS", 1);
    return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **handle) {
    *handle = (void *)(long)(index + 1);
    return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **handle) {
    long number;
    if (sscanf(uuid, "GPU-%ld", &number) != 1 && sscanf(uuid, "MIG-%ld", &number) != 1) return 6;
    *handle = (void *)(number + 1);
    return 0;
}
int nvmlDeviceGetUUID(void *handle, char *text, unsigned size) {
    snprintf(text, size, is_part(handle) ? "MIG-%ld" : "GPU-%ld", number_of(handle));
    return 0;
}
int nvmlDeviceGetName(void *handle, char *text, unsigned size) {
    snprintf(text, size, is_part(handle) ? "NVIDIA H100 80GB HBM3 MIG 3g.40gb"
                                         : "NVIDIA H100 80GB HBM3");
    return 0;
}
int nvmlDeviceGetMemoryInfo(void *handle, Memory *memory) {
    memory->total = (unsigned long long)said("MADE_GIB", is_part(handle) ? 40 : 80) << 30;
    memory->used = 1ull << 30;
    memory->free = memory->total - memory->used;
    return 0;
}
int nvmlDeviceGetComputeMode(void *handle, int *mode) {
    *mode = said("MADE_MODE", 0);
    return 0;
}
int nvmlDeviceGetPowerManagementLimit(void *handle, unsigned *milliwatts) {
    *milliwatts = 700000;
    return is_part(handle) ? 3 : 0;
}
int nvmlDeviceGetPowerUsage(void *handle, unsigned *milliwatts) {
    *milliwatts = said("MADE_POWER", 68200);
    return 0;
}
int nvmlDeviceGetTemperature(void *handle, int sensor, unsigned *celsius) {
    *celsius = 45;
    return sensor == 0 ? 0 : 2;
}
int nvmlDeviceGetClockInfo(void *handle, int clock, unsigned *mhz) {
    *mhz = clock == 1 ? 1980 : 2619;
    return 0;
}
int nvmlDeviceGetCurrentClocksThrottleReasons(void *handle, unsigned long long *reasons) {
    *reasons = said("MADE_REASONS", 1);
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *handle, Rates *rates) {
    rates->gpu = said("MADE_USE", 0);
    rates->memory = 0;
    return said("MADE_USE", 0) < 0 ? 3 : 0;
}
int nvmlDeviceGetComputeRunningProcesses_v3(void *handle, unsigned *count, void *infos) {
    *count = said("MADE_PROCESSES", 0);
    return 0;
}
int nvmlDeviceGetMigMode(void *handle, unsigned *current, unsigned *pending) {
    *current = *pending = said("MADE_PARTS", 0) > 0;
    return 0;
}
int nvmlDeviceGetMaxMigDeviceCount(void *handle, unsigned *count) {
    *count = 7;
    return 0;
}
int nvmlDeviceGetMigDeviceHandleByIndex(void *handle, unsigned index, void **part) {
    *part = (void *)(101 + (long)index);
    return (long)index < said("MADE_PARTS", 0) ? 0 : 6;
}
int nvmlDeviceGetDeviceHandleFromMigDeviceHandle(void *handle, void **whole) {
    *whole = (void *)1;
    return is_part(handle) ? 0 : 2;
}
