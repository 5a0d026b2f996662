#include "../include/npc_network.h"
