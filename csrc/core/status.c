#include "../include/npc.h"

const char *npc_status_text(npc_status status)
{
    static const char *const text[] = {
#define NPC_STATUS(name, text) text,
#include "status.def"
#undef NPC_STATUS
    };
    if ((int)status < 0 || status >= NPC_STATUS_COUNT) return "unknown status";
    return text[status];
}

const char *npc_version(void) { return NPC_VERSION; }
