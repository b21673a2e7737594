/* SPDX-License-Identifier: Apache-2.0 */
/* Runs a fuzz target over the files of the folders named, where there is no libFuzzer. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED_MAX (16U << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *folder, const char *name)
{
	char path[4096];
	uint8_t *data = malloc(SEED_MAX), *exact;
	size_t size;
	FILE *file;

	if (data == NULL || snprintf(path, sizeof(path), "%s/%s", folder, name) >=
					    (int)sizeof(path))
		return -1;
	file = fopen(path, "rb");
	if (file == NULL) {
		free(data);
		return -1;
	}
	size = fread(data, 1, SEED_MAX, file);
	(void)fclose(file);
	/* a block of the very size, so that a read past the end is seen */
	exact = malloc(size + (size == 0));
	if (exact == NULL)
		return -1;
	memcpy(exact, data, size);
	free(data);
	(void)LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return 0;
}

static int run_folder(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int ran = 0;

	if (dir == NULL)
		return -1;
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		if (run_file(folder, entry->d_name) < 0) {
			(void)closedir(dir);
			return -1;
		}
		ran++;
	}
	(void)closedir(dir);
	return ran;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		int ran = run_folder(argv[i]);

		if (ran <= 0) {
			(void)fprintf(stderr, "replay: %s: no seeds or not readable\n",
					argv[i]);
			return 1;
		}
		(void)printf("%s: %d seeds\n", argv[i], ran);
	}
	return 0;
}
